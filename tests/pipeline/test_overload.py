"""The service on real connections: too much to do, clients that mean no good, and a stop."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from parivision.errors import ModelError
from parivision.models.bundle import Bundle
from parivision.serving.app import create_app
from parivision.serving.edge import Edge
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from parivision.serving.predictor import AnswerOfOne, ChampionRecord, Predictor
from parivision.serving.request_body import MAX_LARGE
from parivision.serving.requests import MAX_BODY_BYTES
from parivision.serving.shot import Shot
from pipeline.service_thread import Running, answer, expect_close, get, post

Start = Callable[..., "Running"]
BODY = json.dumps(FULL_SHOT).encode()
# Long enough for a busy machine, and short enough to wait for.
SHORT_S = 0.5


class Slow(Predictor):
    """A predictor that takes its time, as a linear model on a busy machine does."""

    def answer_one(self, shot: Shot) -> AnswerOfOne:
        """The same, later."""
        time.sleep(0.02)
        return super().answer_one(shot)


@pytest.fixture(scope="module")
def predictor(small_bundle: Bundle) -> Predictor:
    """The small model."""
    return Predictor(small_bundle, ChampionRecord("shots", "1"))


@pytest.fixture
def start(predictor: Predictor) -> Iterator[Start]:
    """Starts services that end with the test."""
    begun: list[Running] = []

    def begin(**limits: Any) -> Running:
        model = limits.pop("model", predictor)
        begun.append(Running(create_app(model), **limits))
        return begun[-1]

    yield begin
    for each in begun:
        each.stop()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is done in here must not take longer."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def said(content: Any) -> Any:
    """A prediction without its id."""
    return {name: value for name, value in content.items() if name != "id"}


class TestTheStraightWay:
    """A plain request is answered at the connection, and nobody can tell."""

    def test_it_is_the_answer_of_the_long_way(self, start: Start) -> None:
        """With a header that makes it go the long way, a shot gets the same prediction."""
        service = start()
        straight = service.ask(post(BODY))
        long = service.ask(post(BODY, "/predict", "Content-Encoding: identity"))
        assert straight[0] == long[0] == 200
        assert said(straight[2]) == said(long[2])
        assert straight[1].keys() == long[1].keys()

    def test_refusals_are_those_of_the_long_way(self, start: Start) -> None:
        """A body that cannot be used is refused with the same sentence."""
        service = start()
        for body in (b"", b"[", b"[" * 30_000, b'{"period": 99}'):
            straight = service.ask(post(body))
            long = service.ask(post(body, "/predict", "Content-Encoding: identity"))
            assert straight[0] in {400, 422}
            assert straight[2] == long[2]

    def test_bytes_may_come_one_by_one_and_requests_together(self, start: Start) -> None:
        """How a request is cut into packets does not matter, nor that others follow at once."""
        service = start()
        with service.connect() as connection:
            for byte in post(BODY):
                connection.sendall(bytes([byte]))
            first = answer(connection)
            connection.sendall(post(BODY) + get("/champion") + post(BODY))
            answers = [answer(connection) for _ in range(3)]
        assert [status for status, _, _ in answers] == [200, 200, 200]
        assert said(answers[0][2]) == said(answers[2][2]) == said(first[2])
        assert answers[1][2]["version"] == "1"

    def test_hosts_and_origins_hold_on_both_ways(self, start: Start, predictor: Predictor) -> None:
        """A host that is not listed gets no prediction; an absolute target's host is the one."""
        service = start()
        edge = Edge.of(["https://a.example"], ["shots.example"])
        service.process.app.serve(predictor, edge=edge)
        for host, target, status in (
            ("shots.example", "/predict", 200),
            ("x", "/predict", 421),
            ("x", "http://shots.example/predict", 200),
            ("shots.example", "http://x/predict", 421),
        ):
            for more in ((), ("Content-Encoding: identity",)):
                request = post(BODY, target, "Origin: https://a.example", *more)
                request = request.replace(b"Host: x", f"Host: {host}".encode())
                got, headers, _ = service.ask(request)
                assert got == status
                assert headers["access-control-allow-origin"] == "https://a.example"
                plain = request.replace(b"Origin: https://a.example\r\n", b"X-Request-Id: r\r\n")
                got, headers, _ = service.ask(plain)
                assert (got, headers["x-request-id"]) == (status, "r")

    def test_it_is_counted(self, start: Start) -> None:
        """Requests, predictions and refusals appear in the metrics as ever."""
        service = start()
        service.ask(post(BODY))
        service.ask(post(b"{}"))
        counts = service.handlers.counters.render().decode()
        assert 'route="/predict",status="200"} 1.0' in counts
        assert 'route="/predict",status="422"} 1.0' in counts

    def test_a_fault_of_ours_is_a_500(self, start: Start, small_bundle: Bundle) -> None:
        """A bug does not take the connection with it."""

        class Broken(Predictor):
            def answer_one(self, shot: Shot) -> AnswerOfOne:
                raise ModelError(str(shot))

        service = start(model=Broken(small_bundle, ChampionRecord("shots", "1")))
        status, _, content = service.ask(post(BODY))
        assert status == 500
        assert "its log says why" in content["error"]


class TestTooMuch:
    """More than can be done is refused at once, and the rest goes on."""

    def test_who_would_wait_too_long_is_refused(self, start: Start, small_bundle: Bundle) -> None:
        """400 that ask a slow model at once get answers or 503s before it could answer them all."""
        service = start(model=Slow(small_bundle, ChampionRecord("shots", "1")))
        with ExitStack() as open_ones:
            connections = [open_ones.enter_context(service.connect()) for _ in range(400)]
            began_s = time.monotonic()
            for connection in connections[:10]:
                connection.sendall(post(BODY))
                assert answer(connection)[0] == 200
            # By what one takes here and now: the machine may be busy.
            one_s = (time.monotonic() - began_s) / 10
            with within(len(connections) * one_s):
                for connection in connections:
                    connection.sendall(post(BODY))
                answers = [answer(connection) for connection in connections]
            statuses = [status for status, _, _ in answers]
            assert set(statuses) == {200, 503}
            refused = [headers for code, headers, _ in answers if code == 503]
            assert all(headers["retry-after"] == "1" for headers in refused)
            connections[0].sendall(post(BODY))
            assert answer(connections[0])[0] == 200

    def test_there_are_only_so_many_connections(self, start: Start) -> None:
        """One too many is told so and closed; those that are there go on."""
        service = start(max_connections=2)
        kept = [service.connect() for _ in range(2)]
        for connection in kept:
            connection.sendall(post(BODY))
            assert answer(connection)[0] == 200
        with service.connect() as more:
            status, headers, _ = answer(more)
            assert (status, headers["retry-after"]) == (503, "1")
            expect_close(more)
        kept[0].sendall(get("/champion"))
        assert answer(kept[0])[0] == 200
        for connection in kept:
            connection.close()

    def test_only_so_many_large_bodies_are_held(self, start: Start) -> None:
        """While they arrive, the next one is refused, and small requests are answered."""
        service = start()
        body = json.dumps({"shots": [SMALL_SHOT] * 3000}).encode()
        held = [service.connect() for _ in range(MAX_LARGE)]
        for connection in held:
            connection.sendall(post(body)[:-1])
        deadline = time.monotonic() + 10
        while service.process.app._bodies.large < MAX_LARGE:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        status, headers, _ = service.ask(post(body))
        assert (status, headers["retry-after"]) == (503, "1")
        assert service.ask(post(BODY))[0] == 200
        for connection in held:
            connection.sendall(body[-1:])
        assert [answer(connection)[0] for connection in held] == [200] * MAX_LARGE
        for connection in held:
            connection.close()

    def test_a_huge_body_is_refused(self, start: Start) -> None:
        """More than 8 MiB is a 413."""
        service = start()
        assert service.ask(post(b" " * (MAX_BODY_BYTES + 1)))[0] == 413


class TestSlowClients:
    """Nobody holds a connection without using it."""

    @pytest.mark.parametrize("begun", [b"", b"\r\n"])
    def test_a_connection_that_asks_nothing(self, start: Start, begun: bytes) -> None:
        """It is closed without a word: a client would take a 408 for the answer to what it asks."""
        service = start(request_s=SHORT_S)
        with service.connect() as connection, within(10 * SHORT_S):
            connection.sendall(begun)
            assert connection.recv(1000) == b""

    @pytest.mark.parametrize("begun", [b"POST /pre", post(BODY)[:-3], post(BODY, "/explain")[:-3]])
    def test_a_request_that_does_not_arrive(self, start: Start, begun: bytes) -> None:
        """A connection on which nothing comes any more is told so and closed."""
        service = start(request_s=SHORT_S)
        with service.connect() as connection, within(10 * SHORT_S):
            connection.sendall(begun)
            status, headers, _ = answer(connection)
            assert (status, headers["connection"]) == (408, "close")
            expect_close(connection)

    def test_an_idle_connection_is_closed_and_a_used_one_is_not(self, start: Start) -> None:
        """Each answer begins the time anew, on either way; who asks nothing more is closed."""
        service = start()
        service.server.config.timeout_keep_alive = 1
        with service.connect() as idle, service.connect() as used:
            for connection in (idle, used):
                connection.sendall(post(BODY))
                assert answer(connection)[0] == 200
            began = time.monotonic()
            while time.monotonic() - began < 2.5:
                for request in (post(BODY), get("/champion")):
                    time.sleep(0.3)  # the client's own pace
                    used.sendall(request)
                    assert answer(used)[0] == 200
            assert idle.recv(1) == b""
            with within(2.5):
                assert used.recv(1) == b""

    def test_a_large_body_that_does_not_arrive(self, start: Start) -> None:
        """It is cut off, and its place is free again."""
        service = start(request_s=SHORT_S)
        with service.connect() as connection:
            connection.sendall(post(b" " * 10**6)[:500_000])
            with within(10 * SHORT_S):
                status, headers, _ = answer(connection)
                assert (status, headers["connection"]) == (408, "close")
                expect_close(connection)
        deadline = time.monotonic() + 10
        while service.process.app._bodies.large:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def test_an_answer_that_is_not_taken(self, start: Start) -> None:
        """Who asks for much and reads nothing is cut off."""
        service = start(answer_s=SHORT_S)
        body = json.dumps({"shots": [SMALL_SHOT] * 10_000}).encode()
        with service.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in range(8):
                with suppress(ConnectionError, TimeoutError):
                    connection.sendall(post(body))
            deadline = time.monotonic() + 20
            while service.server.server_state.connections:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert service.ask(post(BODY))[0] == 200


class TestStopping:
    """A stop breaks no request."""

    def test_what_was_begun_is_answered(self, start: Start) -> None:
        """A request whose end comes after the stop is answered, on a connection that closes."""
        service = start(linger_s=SHORT_S)
        request = post(BODY)
        with service.connect() as begun, service.connect() as idle, ThreadPoolExecutor(1) as pool:
            idle.sendall(post(BODY))
            answer(idle)
            begun.sendall(request[:-10])
            deadline = time.monotonic() + 10
            while len(service.server.server_state.connections) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            stopped = pool.submit(service.stop)
            while service.server.servers[0].is_serving():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            for connection, rest in ((begun, request[-10:]), (idle, request)):
                connection.sendall(rest)
                status, headers, _ = answer(connection)
                assert (status, headers["connection"]) == (200, "close")
                expect_close(connection)
            stopped.result()
