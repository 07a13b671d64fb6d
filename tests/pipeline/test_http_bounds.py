"""What clients may send has bounds: the serving image's process, its memory and time measured."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psutil
import pytest

from http_table import Client
from parivision.packaging import bento as package
from parivision.serving.openapi import SMALL_SHOT
from pipeline import serving_image
from pipeline.serving_image import Image

MIB = 2**20
LARGE = 100 * MIB
# What an allocator and a busy machine may need beside what is measured.
GROWTH_MB = 40
POD_MB = 512
MANY = 1500
POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = json.dumps(SMALL_SHOT).encode()
WHAT_IF = (
    b"POST /what-if HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)

READY = b"GET /v2/health/ready HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def image(small_bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The process, which runs on through all tests."""
    folder = tmp_path_factory.mktemp("bounds")
    bento = package.build(small_bundle_dir, version="1", store=folder / "bentoml")
    with serving_image.running(bento.path, folder, {}) as image:
        yield image


def cpu_s(image: Image) -> float:
    """Seconds of a processor that the process had."""
    times = psutil.Process(image.pid).cpu_times()
    return float(times.user + times.system)


@pytest.mark.parametrize(
    ("begin", "unit", "statuses"),
    [
        pytest.param(POST + b"X-A: ", b"a" * 65536, {431}, id="a value"),
        pytest.param(POST, b"a" * 65536, {431}, id="a name"),
        pytest.param(POST, b"X-A: b\r\n" * 8192, {431}, id="fields"),
        pytest.param(b"GET /", b"a" * 65536, {414}, id="a target"),
        pytest.param(b"", b"A" * 65536, {400}, id="a method"),
        pytest.param(b"", b"\r\n" * 32768, {431}, id="empty lines"),
        pytest.param(CHUNKED + b"5;a=", b"a" * 65536, {400}, id="an extension"),
        pytest.param(CHUNKED, b"0" * 65536, {400}, id="a chunk's size"),
        pytest.param(CHUNKED + b"0\r\n", b"X-A: b\r\n" * 8192, {400}, id="trailers"),
        pytest.param(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n", {413}, id="a body in chunks"),
        pytest.param(
            POST.replace(b"/predict", b"/nothing") + b"Content-Length: 99999999999\r\n\r\n",
            b"a" * 65536,
            {404},
            id="a body for no path",
        ),
    ],
)
def test_a_hundred_megabytes(image: Image, begin: bytes, unit: bytes, statuses: set[int]) -> None:
    """They are refused, the process does not grow, and spends little on them."""
    memory, spent = image.resident_mb, cpu_s(image)
    with closing(Client(image.port)) as client:
        client.send(begin)
        for _ in range(LARGE // len(unit)):
            client.send(unit)
        answer = client.answer()
        assert answer.status in statuses
        assert client.is_closed()
    assert image.resident_mb - memory < GROWTH_MB
    assert cpu_s(image) - spent < 2.0
    assert image.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("begin", "byte", "count"),
    [
        pytest.param(POST + b"X-A: ", b"a", 30_000, id="a head"),
        pytest.param(POST + b"Content-Length: 30000\r\n\r\n", b" ", 29_000, id="a body"),
        pytest.param(CHUNKED, b"1\r\n \r\n", 200_000, id="chunks"),
    ],
)
def test_byte_by_byte(image: Image, begin: bytes, byte: bytes, count: int) -> None:
    """What comes in the smallest pieces costs no more than so many pieces do."""
    spent = cpu_s(image)
    with closing(Client(image.port)) as client:
        client.send(begin)
        for _ in range(count):
            client.send(byte)
    assert cpu_s(image) - spent < 20e-6 * count + 0.5


def test_many_heads_that_do_not_end(image: Image) -> None:
    """Connections with as much of a head as is allowed fit into a pod, and health is answered."""
    fields = b"".join(b"X-%d: %b\r\n" % (number, b"a" * 280) for number in range(75))
    memory = image.resident_mb
    with ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(closing(Client(image.port))).send(POST + fields)
        began = time.monotonic()
        assert image.get("/livez").status_code == 200
        assert time.monotonic() - began < 5.0
        grown = image.resident_mb - memory
    # As many as there may be, on top of what the process has.
    assert memory + grown * 4096 / MANY < POD_MB


def test_who_asks_ahead_is_not_read_ahead_of(image: Image) -> None:
    """Pipelined requests wait in the client's own buffers; all are answered, in their order."""
    memory, requests = image.resident_mb, READY * 10_000
    with ExitStack() as stack:
        pushers = [stack.enter_context(closing(Client(image.port))) for _ in range(40)]
        for pusher in pushers:
            pusher.socket.setblocking(False)
            with suppress(BlockingIOError):
                pusher.socket.send(requests)
        began = time.monotonic()
        assert image.get("/livez").status_code == 200
        assert time.monotonic() - began < 5.0
        assert image.resident_mb - memory < GROWTH_MB
    with closing(Client(image.port)) as client:
        client.send(READY * 1000 + READY.replace(b"/v2/health/ready", b"/champion"))
        answers = [client.answer() for _ in range(1001)]
        assert {answer.status for answer in answers} == {200}
        assert b'"digest"' in answers[-1].body


def test_a_client_that_leaves_with_requests_open(image: Image) -> None:
    """It leaves no traceback, whatever it had asked for."""
    for _ in range(20):
        client = Client(image.port)
        client.send(WHAT_IF * 50)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    assert image.get("/livez").status_code == 200
    assert "Traceback" not in image.log.read_text()
