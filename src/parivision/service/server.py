"""The service as a process: uvicorn with this project's connections, until SIGTERM."""

import gc
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import uvicorn

from parivision.service.app import App
from parivision.service.protocol import Protocol, Shared

Application = Callable[..., Awaitable[None]]

# Longer than a gateway keeps a connection that nobody uses: the one who closes it should be the
# one who sends requests, or now and then a request meets a connection that is just being closed.
KEEP_ALIVE_S: Final = 90
# Less than Kubernetes waits between SIGTERM and SIGKILL.
SHUTDOWN_S: Final = 20


def straight(app: App, around: Application) -> Application:
    """The application's own paths without what BentoML puts around it, all others with it.

    BentoML's layers trace, time and count, all of which is off or done here, and cost more than a
    prediction. Health and the life of the process are BentoML's.
    """

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        is_ours = scope["type"] == "http" and scope["path"] in app.paths
        await (app if is_ours else around)(scope, receive, send)

    return answer


def config(shared: Shared, around: Application | None = None, **options: Any) -> uvicorn.Config:
    """How uvicorn runs the application, and BentoML's around it if it is a Bento's."""
    app = shared.app
    return uvicorn.Config(
        straight(app, around or app),
        http=partial(Protocol, shared=shared),  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
        **options,
    )


def serve(app: App, around: Application, host: str, port: int) -> None:
    """Serve until SIGTERM, then finish what is being answered."""
    gc.collect()
    gc.freeze()
    uvicorn.Server(config(Shared(app), around, host=host, port=port)).run()
