"""The registry on a server with users, which forbids what a server without them does not find."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from parivision.errors import RegistryError
from parivision.registry import Registry, quiet

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]


class Server(ThreadingHTTPServer):
    """What MLflow 3.17 with basic authentication says about the alias of a model; `model` is it."""

    model: dict[str, str] | None = None

    class Handler(BaseHTTPRequestHandler):
        """Answers for one request."""

        server: "Server"

        def do_GET(self) -> None:
            """The alias is forbidden, the model found or not."""
            found = self.server.model
            if urlsplit(self.path).path.endswith("/alias"):
                self.answer(403, b"Permission denied")
            elif found is None:
                self.answer(404, json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST"}).encode())
            else:
                self.answer(200, json.dumps({"registered_model": found}).encode())

        def answer(self, status: int, body: bytes) -> None:
            """Send a status and a body."""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """The server, on a free port."""
    quiet()
    with Server(("127.0.0.1", 0), Server.Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_no_model_means_no_champion(server: Server) -> None:
    """On a new server the first question is not the last."""
    assert Registry(f"http://127.0.0.1:{server.server_port}").champion() is None


def test_a_model_that_may_not_be_read_is_an_error(server: Server) -> None:
    """A champion that is there but hidden is not taken for none."""
    server.model = {"name": "shots"}
    with pytest.raises(RegistryError, match="Permission denied"):
        Registry(f"http://127.0.0.1:{server.server_port}").champion()
