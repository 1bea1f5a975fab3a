"""`trailmate serve`: answer schools over HTTP until told to stop."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trailmate.cli.door import let_nobody_in, listening
from trailmate.cli.workers import Workers

if TYPE_CHECKING:
    from fastapi import FastAPI
    from uvicorn import Server

    from serving.current_bundle import CurrentBundle
    from serving.house import House
    from serving.settings import Settings

# So many objects more than went are looked through for circles that nobody holds.
_CIRCLES = 10_000
Tell = Callable[[], None]
# How often a process says that its loop still turns.
_BEAT_S = 1.0
# How often it is looked whether all lines are closed.
_LOOK_S = 0.02
# glibc gives threads heaps of their own, up to eight for each core, and what one has freed no other one uses.
_M_ARENA_MAX, _HEAPS = -8, 2


def serve(
    bundle: Annotated[Path | None, typer.Option(help="The bundle to serve (TRAILMATE_BUNDLE).")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (TRAILMATE_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 takes a free one (TRAILMATE_PORT).")] = None,
    workers: Annotated[int | None, typer.Option(help="How many processes answer (TRAILMATE_WORKERS).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say where it listens as one JSON object.")] = False,
) -> None:
    """Serve recommendations over HTTP.

    Example: trailmate serve --bundle bundles/spring --port 8000
    """
    # What is made before the first answer stays: to look through it for what may go takes a tenth of the start.
    gc.disable()
    _share_heaps()
    from serving.settings import read_settings

    settings = read_settings(bundle=bundle, host=host, port=port, workers=workers)
    # Found before the store and the bundle are opened: the commonest slip gets the quickest answer.
    with listening(settings.host, settings.port) as listener:
        _run(settings, listener, as_json=as_json)


def _share_heaps() -> None:
    """Let all threads take memory from two heaps; where the system knows no such thing, nothing happens."""
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)


def _run(settings: Settings, listener: socket.socket, *, as_json: bool) -> None:
    """Serve until a signal comes; raises KeyboardInterrupt after the last answer where it was Ctrl-C."""
    from serving.seats import counting_folder

    bundles = _verified_meanwhile(settings.bundle)
    if settings.workers == 1:
        stopped_by = _serve_here(settings, listener, bundles, lambda: _say_where(listener, settings, bundles, as_json))
    else:
        bundles.make_shared()
        with counting_folder(settings.data) as folder:
            workers = Workers(
                settings.workers,
                lambda ready, beat: _serve_here(settings, listener, bundles, ready, beat, counting_in=folder),
                listener,
            )
            stopped_by = workers.run(lambda: _say_where(listener, settings, bundles, as_json))
    if stopped_by == signal.SIGINT:
        raise KeyboardInterrupt


def _verified_meanwhile(path: Path | None) -> CurrentBundle:
    """The bundle, verified once for all processes while everything is imported that they need and share."""
    from serving.current_bundle import CurrentBundle
    from serving.verifying import verifying

    verified = verifying(path) if path else None
    import uvicorn  # noqa: F401
    import uvloop  # noqa: F401

    import serving.app  # noqa: F401

    return CurrentBundle(verified() if verified else None)


def _serve_here(
    settings: Settings,
    listener: socket.socket,
    bundles: CurrentBundle,
    ready: Callable[[], None],
    beat: Callable[[], None] = lambda: None,
    *,
    counting_in: Path | None = None,
) -> int:
    """Serve in this process until a signal comes, which is returned; `ready` is called when it answers, `beat` each
    second from then on.

    `counting_in` is the folder in which all processes of this server count.
    """
    import uvicorn
    import uvloop

    from serving.app import create_app

    app = create_app(settings, bundles, counting_in=counting_in)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", http="httptools", backlog=1024, proxy_headers=False
    )
    server = uvicorn.Server(config)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serving(server, app, listener, (ready, beat)))


async def _serving(server: Server, app: FastAPI, listener: socket.socket, tell: tuple[Tell, Tell]) -> int:
    """Serve until a signal comes, which is returned; `tell` are who hears that it answers, and that it still does."""
    from serving.logs import LibraryLogs

    # Opened here and not by uvicorn, so that a bad bundle or a full disk is one sentence before anything answers.
    async with app.router.lifespan_context(app):
        house: House = app.state.house
        logging.basicConfig(handlers=[LibraryLogs(house.log)], level=logging.WARNING)
        loop, told = asyncio.get_running_loop(), asyncio.Queue[int]()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, told.put_nowait, each)
        # uvicorn's own way to stop closes every line at once, whoever is about to ask on it.
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=[listener])
        gc.freeze()
        # An answer leaves no circles behind: what few there are can wait.
        gc.set_threshold(_CIRCLES)
        gc.enable()
        ready, beat = tell
        ready()
        ticking, beating = asyncio.create_task(server.main_loop()), asyncio.create_task(_beating(beat))
        number = await told.get()
        await _drained(server, house, told, listener)
        server.should_exit = True
        await ticking
        await server.shutdown(sockets=[listener])
        beating.cancel()
        return number


async def _beating(beat: Tell) -> None:
    while True:
        beat()
        await asyncio.sleep(_BEAT_S)


async def _drained(server: Server, house: House, told: asyncio.Queue[int], listener: socket.socket) -> None:
    """Answer on for a moment, and tell everybody to ask on a new line; a second signal ends it at once."""
    house.ending.set()
    await _lines_closed(server, told, house.settings.drain_s)
    let_nobody_in(listener)
    await asyncio.sleep(_LOOK_S)
    for accepting in server.servers:
        accepting.close()
    # Who came last may not have asked yet: uvicorn would close their line unread.
    await _lines_closed(server, told, house.settings.drain_s)


async def _lines_closed(server: Server, told: asyncio.Queue[int], patience_s: float) -> None:
    """Wait until nobody holds a line any more, but not for ever."""
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while server.server_state.connections and told.empty():  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(_LOOK_S)


def _say_where(listener: socket.socket, settings: Settings, bundles: CurrentBundle, as_json: bool) -> None:
    from trailmate.cli.progress import say

    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    told = {
        "url": url,
        "console": f"{url}/console/",
        "openapi": f"{url}/openapi.json",
        "bundle": bundles.version,
        "data": str(settings.data),
    }
    lines = [f"  {name:8} {value}" for name, value in told.items() if name != "url"]
    text = "\n".join([f"Trailmate serves at {url}", *lines, "  stop it with Ctrl-C"])
    say(told, as_json=as_json, text=text)
    sys.stdout.flush()
