"""A progress bar for people and silence for pipes."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Report = Callable[[str, float], None]


@contextmanager
def progress_bar() -> Iterator[Report]:
    """Give `report(what, share)` with share in [0, 1]; nothing is drawn where stderr is not a terminal."""
    # Imported by who waits for something: a server that starts does not.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _what, _share: None
        return
    with Progress(
        TextColumn("{task.description:<32}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


def say(result: dict[str, Any], *, as_json: bool, text: str) -> None:
    """Print a command's result, as one JSON object or in words."""
    sys.stdout.write((json.dumps(result, default=str) if as_json else text) + "\n")
