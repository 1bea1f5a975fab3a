"""`trailmate serve`: answer schools over HTTP until told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.domain.errors import Unavailable

if TYPE_CHECKING:
    from fastapi import FastAPI
    from uvicorn import Server

    from serving.house import House
    from serving.settings import Settings


def serve(
    bundle: Annotated[Path | None, typer.Option(help="The bundle to serve (TRAILMATE_BUNDLE).")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (TRAILMATE_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 takes a free one (TRAILMATE_PORT).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say where it listens as one JSON object.")] = False,
) -> None:
    """Serve recommendations over HTTP.

    Example: trailmate serve --bundle bundles/spring --port 8000
    """
    from serving.settings import read_settings

    settings = read_settings(bundle=bundle, host=host, port=port)
    # Found before the store and the bundle are opened: the commonest slip gets the quickest answer.
    with _listening(settings.host, settings.port) as listener:
        _run(settings, listener, as_json=as_json)


def _listening(host: str, port: int) -> socket.socket:
    """A socket on this address; raises Unavailable where the port is taken or the address is not ours."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).partition(" (")[0].lower()
        raise Unavailable(
            f"cannot listen on {host} port {port} ({reason}); stop what listens there, or choose another --port"
        ) from None


def _run(settings: Settings, listener: socket.socket, *, as_json: bool) -> None:
    """Serve until a signal comes; raises KeyboardInterrupt after the last answer where it was Ctrl-C."""
    import uvicorn
    import uvloop

    from serving.app import create_app

    app = create_app(settings)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", http="httptools")
    server = uvicorn.Server(config)
    received = []

    # uvicorn takes signals only while it runs, and raises them again when it has stopped: both come here.
    def stop(number: int, _frame: object) -> None:
        received.append(number)
        server.should_exit = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serving(server, app, listener, as_json=as_json))
    if signal.SIGINT in received:
        raise KeyboardInterrupt


async def _serving(server: Server, app: FastAPI, listener: socket.socket, *, as_json: bool) -> None:
    from serving.logs import LibraryLogs

    # Opened here and not by uvicorn, so that a bad bundle or a full disk is one sentence before anything answers.
    async with app.router.lifespan_context(app):
        house: House = app.state.house
        logging.basicConfig(handlers=[LibraryLogs(house.log)], level=logging.WARNING)
        _say_where(listener, house, as_json=as_json)
        await server.serve(sockets=[listener])


def _say_where(listener: socket.socket, house: House, *, as_json: bool) -> None:
    from trailmate.cli.progress import say

    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    told = {
        "url": url,
        "console": f"{url}/console/",
        "openapi": f"{url}/openapi.json",
        "bundle": house.bundles.version,
        "data": str(house.settings.data),
    }
    lines = [f"  {name:8} {value}" for name, value in told.items() if name != "url"]
    text = "\n".join([f"Trailmate serves at {url}", *lines, "  stop it with Ctrl-C"])
    say(told, as_json=as_json, text=text)
    sys.stdout.flush()
