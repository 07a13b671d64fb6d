"""What one would serve the same trees with: `python -m bench.servers bare|fastapi PORT MODEL`."""

import json
import sys
from pathlib import Path
from typing import Any

import uvicorn


def bare(model: Path) -> Any:
    """ASGI and nothing else: JSON in, the compiled trees, JSON out. The floor."""
    from parivision.models.native import Forest

    forest = Forest(model.read_text())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})
            return
        message = await receive()
        row = json.loads(message["body"])["row"]
        body = json.dumps({"p_made": forest.one(row)}).encode()
        length = str(len(body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def fastapi(model: Path) -> Any:
    """FastAPI with LightGBM's Booster, as tutorials have it."""
    import lightgbm
    import numpy as np
    from fastapi import FastAPI
    from pydantic import BaseModel

    booster = lightgbm.Booster(model_file=str(model))
    app = FastAPI()

    class Question(BaseModel):
        row: list[float]

    @app.post("/predict")
    async def predict(question: Question) -> dict[str, float]:
        return {"p_made": float(booster.predict(np.array([question.row]), num_threads=1)[0])}

    return app


if __name__ == "__main__":
    made = {"bare": bare, "fastapi": fastapi}[sys.argv[1]](Path(sys.argv[3]))
    uvicorn.run(
        made, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_level="warning"
    )
