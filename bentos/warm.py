"""Imports what a Bento of any family imports, so that Python keeps the bytecode.

Run when the runtime image is built: a pod's root is read-only, and what is not compiled here is
compiled again at every start. Ends with an error where the image lacks what a Bento needs.
"""

import asyncio
from importlib import import_module
from typing import Any

import bentoml

MODULES = (
    "httptools",
    "lightgbm",
    "msgspec",
    "prometheus_client",
    "pydantic_settings",
    "pymongo",
    "skops.io",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.impute",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.auto",
    "uvloop",
    "xgboost",
)


async def _nothing(_scope: object, _receive: object, _send: object) -> None:
    """An application that nobody asks."""


@bentoml.service(metrics={"enabled": False}, tracing={"excluded_urls": ".*"})
@bentoml.asgi_app(_nothing, path="/")
class Nothing:
    """A service like the project's, of nothing."""


async def start_and_stop() -> None:
    """Start BentoML's application as a server does, and stop it."""
    service: Any = Nothing
    app = service.to_asgi()
    async with app.router.lifespan_context(app):
        pass


if __name__ == "__main__":
    for module in MODULES:
        import_module(module)
    asyncio.run(start_and_stop())
