"""Many shots over one connection: columns, a list, and lines, in shots for each second of CPU."""

import http.client
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

from parivision.serving.shot import FIELDS

Shots = list[dict[str, Any]]
_HEAD = (
    "POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    "Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n"
)


def ways(port: int, shots: Shots, repeats: int) -> list[tuple[str, int, Callable[[], None]]]:
    """The three ways: name, number of shots, and what asks for them, the same ones repeatedly."""
    columns = json.dumps({"inputs": list(_tensors(shots))}).encode()
    records = json.dumps({"shots": shots}).encode()
    lines = b"".join(json.dumps(shot).encode() + b"\n" for shot in shots) * repeats

    def ask(path: str, body: bytes) -> Callable[[], None]:
        def work() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            for _ in range(repeats):
                connection.request("POST", path, body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                response.read()
                assert response.status == 200
            connection.close()

        return work

    # Lines come first: they are not logged, and what was logged of the others is still written when
    # these are answered.
    asked = {
        "lines (NDJSON, `/predict`)": lambda: _stream(port, lines),
        "columns (`/v2/models/shots/infer`)": ask("/v2/models/shots/infer", columns),
        "a list (`/predict`)": ask("/predict", records),
    }
    return [(way, len(shots) * repeats, work) for way, work in asked.items()]


def _tensors(shots: Shots) -> Any:
    for name in FIELDS:
        data = [shot.get(name) for shot in shots]
        if any(value is not None for value in data):
            kind = "BYTES" if any(isinstance(value, str) for value in data) else "FP64"
            yield {"name": name, "datatype": kind, "shape": [len(data)], "data": data}


def _stream(port: int, lines: bytes) -> None:
    """Send and read at the same time, as a client of a stream must."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        message = _HEAD.format(len(lines)).encode() + lines
        sender = threading.Thread(target=connection.sendall, args=(message,))
        sender.start()
        answered = 0
        while received := connection.recv(2**20):
            answered += received.count(b"p_made")
        sender.join()
    # A name may have been cut in two by a packet's end.
    assert answered > 0.9 * lines.count(b"\n")
