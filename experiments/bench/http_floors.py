"""`python -m experiments.bench.http_floors KIND ANSWER`: servers that send ready bytes, to measure beside."""

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

KINDS = ("no-op", "bare")


def no_op(content: bytes) -> FastAPI:
    """A FastAPI endpoint with a path and a query parameter; its answer is ready."""
    app = FastAPI()

    @app.get("/v1/learners/{learner_id}/next")
    async def next_steps(learner_id: str, k: int = 5) -> Response:  # noqa: ARG001 - parsed, and that is all
        return Response(content, media_type="application/json")

    return app


def no_op_post(content: bytes) -> FastAPI:
    """A FastAPI endpoint that takes what is sent and looks at none of it; its answer is ready."""
    app = FastAPI()

    @app.post("/v1/events")
    async def take(request: Request) -> Response:
        await request.body()
        return Response(content, media_type="application/json")

    return app


def bare(content: bytes) -> Any:
    """An ASGI function, the least a Python server can do."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return app


def main() -> None:
    """Serve on a free port, which is printed first."""
    kind, content = sys.argv[1], Path(sys.argv[2]).read_bytes()
    app = {"no-op": no_op, "no-op POST": no_op_post, "bare": bare}[kind](content)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", http="httptools")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
