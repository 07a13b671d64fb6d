"""What is answered where llhttp, httptools' parser, finds no HTTP/1.1 request."""

import re
from typing import Final

import httptools

from parivision.serving.request_head import MAX_TARGET
from parivision.serving.requests import Refusal

# A line that is in order but for its method, which is then one that is not known: 501 (RFC 9110,
# 9.1), and not 400.
_REQUEST_LINE: Final = re.compile(
    rb"(?:\r\n)*[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40} \S{1,8192} HTTP/1\.[01]\r\n"
)
# llhttp's message for the preface of HTTP/2, the only other version that it recognizes.
_OF_HTTP_2: Final = "Pause on PRI/Upgrade"
# Another protocol of the same form, which llhttp takes for HTTP.
_RTSP: Final = b" RTSP/"
_RTSP_LINE: Final = re.compile(rb"(?:\r\n)*\S+ \S+ RTSP/")


def refusal_of(error: httptools.HttpParserError, line: bytes) -> Refusal:
    """The refusal of bytes that are no request; the parser's message tells where it stopped.

    `line` begins with the request line, or is empty where that is not known.
    """
    message = str(error)
    if message == _OF_HTTP_2:
        return Refusal(505, f"This service speaks HTTP/1.1 ({message}).")
    if isinstance(error, httptools.HttpParserInvalidMethodError) and _REQUEST_LINE.match(line):
        return Refusal(501, "The method is none that this service knows: send GET or POST.")
    return Refusal(400, f"This is no HTTP/1.1 request ({message}).")


def is_rtsp(line: bytes) -> bool:
    """Whether a request line is one of RTSP."""
    return _RTSP in line and _RTSP_LINE.match(line) is not None


def first_line(head_start: bytes) -> bytes:
    """A request's first line, or as much of it as there is."""
    # Empty lines before a request are ignored (RFC 9112, 2.2).
    head_start = head_start.lstrip(b"\r\n")
    end = head_start.find(b"\r\n")
    return head_start[: end + 2 if end >= 0 else MAX_TARGET]
