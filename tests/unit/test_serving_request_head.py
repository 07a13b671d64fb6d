"""What a head must be, where it is pure: hosts, targets, bounds, and what is logged of refusals."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.serving import request_head
from parivision.serving.refusals import EVERY_S, Refused
from parivision.serving.requests import Refusal

HOST = (b"host", b"a")


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        (b"/a", b"/a", b"", b"a"),
        (b"/a?b?c", b"/a", b"b?c", b"a"),
        (b"//a/b", b"//a/b", b"", b"a"),
        (b"http://B.c:80/d?e", b"/d", b"e", b"b.c"),
        (b"HTTPS://b", b"/", b"", b"b"),
        (b"http://b?e", b"/", b"e", b"b"),
        (b"http://[::1]:8/d", b"/d", b"", b"[::1]"),
    ],
)
def test_targets(target: bytes, path: bytes, query: bytes, host: bytes) -> None:
    """An absolute target's host holds, and not the field's (RFC 9112, 3.2.2)."""
    head = request_head.read(b"GET", "1.1", target, [HOST])
    assert (head.path, head.query, head.host) == (path, query, host)


def test_a_body_is_as_long_as_it_says() -> None:
    """By its length, in chunks, or there is none."""
    sized = request_head.read(b"POST", "1.1", b"/", [HOST, (b"content-length", b" 007 ")])
    assert (sized.length, sized.is_chunked) == (7, False)
    chunked = request_head.read(b"POST", "1.1", b"/", [HOST, (b"transfer-encoding", b"Chunked")])
    assert (chunked.length, chunked.is_chunked) == (0, True)
    assert request_head.read(b"POST", "1.0", b"/", [(b"expect", b"100-continue")]).waits is False


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([(b"a", b"b")] * (request_head.MAX_FIELDS - 1), None),
        ([(b"a", b"b")] * request_head.MAX_FIELDS, 431),
        ([(b"a" * request_head.MAX_NAME, b"")], None),
        ([(b"a" * (request_head.MAX_NAME + 1), b"")], 431),
        ([(b"a", b"b" * (request_head.MAX_HEAD - 20))], None),
        ([(b"a", b"b" * request_head.MAX_HEAD)], 431),
        ([(b"a", b"b" * (request_head.MAX_HEAD // 2))] * 2, 431),
    ],
)
def test_bounds_of_fields(fields: list[tuple[bytes, bytes]], status: int | None) -> None:
    """At the bound and one above: count, name, value, and the sum of all."""
    if status is None:
        request_head.read(b"GET", "1.1", b"/", [HOST, *fields])
        return
    with pytest.raises(Refusal) as caught:
        request_head.read(b"GET", "1.1", b"/", [HOST, *fields])
    assert caught.value.status == status


def test_bound_of_a_target() -> None:
    """At the bound and one above."""
    request_head.read(b"GET", "1.1", b"/" + b"a" * (request_head.MAX_TARGET - 1), [HOST])
    with pytest.raises(Refusal) as caught:
        request_head.read(b"GET", "1.1", b"/" + b"a" * request_head.MAX_TARGET, [HOST])
    assert caught.value.status == 414


@given(
    method=st.sampled_from([b"GET", b"POST", b"OPTIONS"]),
    target=st.binary(max_size=60),
    fields=st.lists(
        st.tuples(
            st.sampled_from([b"host", b"expect", b"transfer-encoding", b"x"]),
            st.binary(max_size=60),
        ),
        max_size=4,
    ),
)
def test_any_head_is_taken_or_refused(
    method: bytes, target: bytes, fields: list[tuple[bytes, bytes]]
) -> None:
    """Whatever bytes come, there is a head with one host, or a refusal with a sentence."""
    head, refused = None, None
    try:
        head = request_head.read(method, "1.1", target, fields)
    except Refusal as refusal:
        refused = refusal
    if head is not None:
        assert head.host
        assert head.path.startswith(b"/") or head.path == b"*"
        head.path.decode("ascii")
    if refused is not None:
        assert refused.status in {400, 414, 417, 431, 501, 505}
        assert len(refused.sentence) > 10


def test_refusals_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """The first one, then how many came since, and the last one's sentence."""
    now = [100.0]
    refused = Refused(lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for number in range(1000):
            refused.note(Refusal(400, f"number {number}"))
        logged = [record.args for record in caplog.records if isinstance(record.args, tuple)]
        assert [arguments[0] for arguments in logged if arguments] == [1]
        now[0] += EVERY_S
        refused.note(Refusal(431, "the last"))
    assert caplog.messages[-1] == (
        "refused 1000 requests at the connection; the last one with 431: the last"
    )
