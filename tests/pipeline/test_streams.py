"""Lines answered while they come, and bodies that come slowly, on real connections."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from http_table import Answer, Client
from parivision.models.bundle import Bundle
from parivision.serving.app import create_app
from parivision.serving.handlers import RequestHandlers
from parivision.serving.openapi import SMALL_SHOT
from parivision.serving.predictor import ChampionRecord, Predictor
from parivision.serving.stream import MAX_STREAMS
from pipeline.service_thread import Running, answer, expect_close, post

Start = Callable[..., Running]
LINE = json.dumps(SMALL_SHOT).encode() + b"\n"
HEAD = (
    b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"
SHORT_S = 1.0


@pytest.fixture
def start(small_bundle: Bundle) -> Iterator[Start]:
    """Starts services that end with the test."""
    begun: list[Running] = []

    def begin(**limits: float) -> Running:
        app = create_app(Predictor(small_bundle, ChampionRecord("shots", "1")))
        begun.append(Running(app, **limits))
        return begun[-1]

    yield begin
    for each in begun:
        each.stop()


def chunk(data: bytes) -> bytes:
    """A chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Lines:
    """A stream: lines go out, and the lines of the answer come in."""

    def __init__(self, service: Running, head: bytes = HEAD) -> None:
        self.socket = service.connect()
        self.socket.sendall(head)
        self._file = self.socket.makefile("rb")
        self._received = b""
        self.head = b""

    def say(self, *parts: bytes) -> None:
        """Send chunks."""
        self.socket.sendall(b"".join(map(chunk, parts)))

    def begin(self) -> int:
        """Read the head of the answer, and tell its status."""
        while line := self._file.readline():
            self.head += line
            if line == b"\r\n":
                break
        return int(self.head.split()[1])

    def next(self) -> dict[str, object] | None:
        """The next line of the answer; None behind the last."""
        while b"\n" not in self._received:
            size = int(self._file.readline() or b"0", 16)
            self._received += self._file.read(size)
            self._file.readline()
            if not size:
                return None
        line, _, self._received = self._received.partition(b"\n")
        content: dict[str, object] = json.loads(line)
        return content

    def close(self) -> None:
        """Close it."""
        self._file.close()
        self.socket.close()


class TestWhileTheyCome:
    """Docs promise that lines are answered while they come."""

    def test_who_sends_a_line_and_waits_is_answered(self, start: Start) -> None:
        """Each answer is there before the next line is sent, and long before the end."""
        with closing(Lines(start())) as lines:
            for number in range(5):
                sent = time.monotonic()
                lines.say(LINE)
                if not number:
                    assert lines.begin() == 200
                assert "p_made" in (lines.next() or {})
                assert time.monotonic() - sent < 2.0
            lines.socket.sendall(END)
            assert lines.next() is None

    def test_slow_lines_are_not_cut(self, start: Start) -> None:
        """A stream that moves goes on for as long as it likes, and in pieces of lines too."""
        with closing(Lines(start(request_s=SHORT_S))) as lines:
            began = time.monotonic()
            lines.say(LINE)
            assert lines.begin() == 200
            assert lines.next()
            while time.monotonic() - began < 4 * SHORT_S:
                for start_ in range(0, len(LINE), 30):
                    lines.say(LINE[start_ : start_ + 30])
                    time.sleep(SHORT_S / 10)  # it is the client's own pace that is tested
                assert "p_made" in (lines.next() or {})
            lines.socket.sendall(END)
            assert lines.next() is None

    def test_the_end_of_a_line_may_come_with_the_end_of_the_body(self, start: Start) -> None:
        """The last line needs no newline."""
        with closing(Lines(start())) as lines:
            lines.say(LINE, LINE.strip())
            lines.socket.sendall(END)
            assert lines.begin() == 200
            assert [bool(lines.next()) for _ in range(3)] == [True, True, False]

    def test_many_lines_at_once_are_answered_in_few_blocks(self, start: Start) -> None:
        """Lines that come fast cost little: thousands of them are answered together."""
        service = start()
        blocks: list[int] = []
        answer_lines = RequestHandlers.answer_lines

        def noting(self: RequestHandlers, block: list[bytes], done: int) -> bytes:
            blocks.append(len(block))
            return answer_lines(self, block, done)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RequestHandlers, "answer_lines", noting)
            with closing(Lines(service)) as lines:
                lines.socket.settimeout(60)
                for _ in range(10):
                    lines.say(LINE * 1000)
                lines.socket.sendall(END)
                assert lines.begin() == 200
                count = sum(lines.next() is not None for _ in range(10_000))
        assert count == sum(blocks) == 10_000
        assert len(blocks) < 100

    def test_a_bad_line_later_ends_it(self, start: Start) -> None:
        """The answers before it stay, and the last line names it."""
        with closing(Lines(start())) as lines:
            lines.say(LINE)
            assert lines.begin() == 200
            assert lines.next()
            lines.say(b'{"period": 1}\n')
            assert str((lines.next() or {})["error"]).startswith("Line 2: ")
            assert lines.next() is None

    def test_http_1_0_gets_lines_without_chunks(self, start: Start) -> None:
        """Its answer ends with the connection."""
        body = LINE * 2
        head = (
            b"POST /predict HTTP/1.0\r\nContent-Type: application/x-ndjson\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        with closing(Client(start().port)) as client:
            client.send(head + body)
            found: Answer = client.answer()
        assert "transfer-encoding" not in found.fields
        assert found.fields["connection"] == "close"
        assert [set(json.loads(line)) for line in found.body.splitlines()] == [
            {"p_made", "expected_points", "zone_code"}
        ] * 2

    def test_there_are_only_so_many(self, start: Start) -> None:
        """One more is told to come again; others are answered, and so is who comes later."""
        service = start()
        streams = [Lines(service) for _ in range(MAX_STREAMS)]
        for each in streams:
            each.say(LINE)
            assert each.begin() == 200
        with service.connect() as more:
            more.sendall(HEAD + chunk(LINE) + END)
            status, headers, _ = answer(more)
            assert (status, headers["retry-after"]) == (503, "1")
        large = json.dumps({"shots": [SMALL_SHOT] * 3000}).encode()
        assert service.ask(post(large))[0] == 200
        for each in streams:
            each.close()
        deadline = time.monotonic() + 10
        while service.process.app._streams:
            assert time.monotonic() < deadline
            time.sleep(0.01)


class TestWhatStandsStill:
    """What does not move for the timeout is told so, and closed."""

    @pytest.mark.parametrize("begun", [b"", chunk(LINE[:20]), b"5\r\nab"])
    def test_a_stream_without_an_answer(self, start: Start, begun: bytes) -> None:
        """No line is complete: it is a 408."""
        with start(request_s=SHORT_S).connect() as connection:
            connection.sendall(HEAD + begun)
            status, headers, content = answer(connection)
            assert (status, headers["connection"]) == (408, "close")
            assert "did not arrive in time" in content["error"]
            expect_close(connection)

    def test_a_stream_with_answers(self, start: Start) -> None:
        """The answer has begun, so the last line says it."""
        with closing(Lines(start(request_s=SHORT_S))) as lines:
            lines.say(LINE)
            assert lines.begin() == 200
            assert "p_made" in (lines.next() or {})
            assert "did not arrive in time" in str((lines.next() or {})["error"])
            assert lines.next() is None
            expect_close(lines.socket)

    @pytest.mark.parametrize(
        "path", ["/predict", "/explain", "/outcomes", "/v2/models/shots/infer"]
    )
    def test_a_slow_body(self, start: Start, path: str) -> None:
        """70 kB that come at a walk: 408, on every path that takes a body."""
        service = start(request_s=SHORT_S)
        request, sent = post(b" " * 70_000, path), 0
        with service.connect() as connection:
            connection.settimeout(0.05)
            began = time.monotonic()
            answered = b""
            while not answered and time.monotonic() - began < 20 * SHORT_S:
                connection.sendall(request[sent : sent + 500])
                sent += 500
                try:
                    answered = connection.recv(4096)
                except TimeoutError:
                    continue
            if path == "/outcomes":  # which keeps no log here, and says so first
                assert b" 503 " in answered
                return
            assert answered.startswith(b"HTTP/1.1 408 "), answered
            assert b"connection: close" in answered
            connection.settimeout(20)
            expect_close(connection)

    def test_slow_clients_do_not_count_as_the_models_time(self, start: Start) -> None:
        """A 408 is no answer of /predict: what a canary is judged by does not see it."""
        service = start(request_s=SHORT_S)
        with service.connect() as connection:
            connection.sendall(post(b" " * 70_000)[:-5])
            assert answer(connection)[0] == 408
        counts = service.handlers.counters.render().decode()
        assert 'route="other",status="408"} 1.0' in counts
        assert 'route="/predict",status="408"' not in counts


def test_a_client_that_leaves_a_stream(start: Start) -> None:
    """Its place is free again, and nothing goes wrong."""
    service = start()
    lines = Lines(service)
    lines.say(LINE)
    assert lines.begin() == 200
    lines.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    lines.close()
    deadline = time.monotonic() + 10
    while service.process.app._streams or service.server.server_state.tasks:
        assert time.monotonic() < deadline
        time.sleep(0.01)
