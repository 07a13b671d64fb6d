"""The verdict service, asked through the Kubernetes API: the real client, a small server."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from kubernetes import client

from parivision.errors import ServiceError
from parivision.kubernetes import DeploymentTarget, connect

DEPLOYMENT = DeploymentTarget("parivision", "parivision-shots")
PATH = "/api/v1/namespaces/parivision/services/parivision-verdict:8080/proxy/rollouts/current"
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: test
clusters: [{{name: test, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: test, user: {{}}}}]
contexts: [{{name: test, context: {{cluster: test, user: test}}}}]
"""


class Api(BaseHTTPRequestHandler):
    """Answers the one path that the service has, as it is sent on the line."""

    def do_GET(self) -> None:
        """JSON, or nothing."""
        body = b'{"version": "2", "end": ""}' if self.path == PATH else b"nothing"
        self.send_response(200 if self.path == PATH else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@contextmanager
def served() -> Iterator[int]:
    """The server's port, while the block runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A KUBECONFIG that names the server; the client's defaults are as before afterwards."""
    before = client.Configuration.get_default_copy()
    with served() as port:
        path = tmp_path / "kubeconfig"
        path.write_text(KUBECONFIG.format(port=port))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
        yield
    client.Configuration.set_default(before)


def test_its_json_is_read_and_its_path_is_kept(kubeconfig: None) -> None:
    """The API server routes by the path as it is written."""
    assert connect().verdict(DEPLOYMENT, "rollouts/current") == {"version": "2", "end": ""}


def test_what_it_does_not_have_is_a_sentence(kubeconfig: None) -> None:
    """Not an answer of another kind."""
    with pytest.raises(ServiceError, match="cannot ask the verdict service"):
        connect().verdict(DEPLOYMENT, "nothing")
