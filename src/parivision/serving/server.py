"""The service as a process: uvicorn with this project's connections, until SIGTERM."""

import gc
import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import uvicorn

from parivision.serving.app import App
from parivision.serving.process_state import ProcessState
from parivision.serving.protocol import Protocol

_logger = logging.getLogger(__name__)

Application = Callable[..., Awaitable[None]]

# Longer than a gateway keeps a connection that nobody uses: the one who closes it should be the
# one who sends requests, or now and then a request meets a connection that is just being closed.
KEEP_ALIVE_S: Final = 90
# So many new connections are taken in one turn of the event loop.
ACCEPTED: Final = 32
# Less than Kubernetes waits between SIGTERM and SIGKILL.
SHUTDOWN_S: Final = 20


def straight(app: App, around: Application) -> Application:
    """The application without what BentoML puts around it, but for health and the process's life.

    BentoML's layers trace, time and count, all of which is off or done here, and cost more than a
    prediction.
    """

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        is_ours = scope["type"] == "http" and app.answers(scope)
        await (app if is_ours else around)(scope, receive, send)

    return answer


def config(
    process: ProcessState, around: Application | None = None, **options: Any
) -> uvicorn.Config:
    """How uvicorn runs the application, and BentoML's around it if it is a Bento's."""
    app = process.app
    return uvicorn.Config(
        straight(app, around or app),
        http=partial(Protocol, process=process),  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
        **options,
    )


def listen(host: str, port: int) -> list[socket.socket]:
    """A listening address, several times over. Raises OSError.

    The event loop takes one new connection from a socket in each turn. With hundreds of busy ones a
    turn is some ten milliseconds long, and a health check would wait for all who came before it.
    """
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    first = socket.create_server((host, port), family=kind)
    return [first, *(first.dup() for _ in range(ACCEPTED - 1))]


def serve(app: App, around: Application, host: str, port: int) -> None:
    """Serve until SIGTERM, then finish what is being answered."""
    try:
        sockets = listen(host, port)
    except OSError as error:
        sys.exit(
            f"{host}:{port} cannot be listened on ({error}): end what listens there, or choose "
            "another --port."
        )
    _logger.info("listening on %s:%d", host, port)
    # What was loaded stays; to look for garbage in it again and again would delay answers.
    gc.collect()
    gc.freeze()
    uvicorn.Server(config(ProcessState(app), around)).run(sockets)
