"""`trailmate migrate`, `trailmate backup` and `trailmate restore`: the store's tables, and a copy of all they hold."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from trailmate.cli.progress import say

AsJson = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")]


def migrate(
    to: Annotated[str | None, typer.Option(help="The revision to walk to; the newest where none is named.")] = None,
    down: Annotated[bool, typer.Option("--down", help="Walk down: one step, or to the revision named.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the tables of the store to a revision, up or down, with all they hold.

    Example: trailmate migrate
    """
    from serving.settings import read_settings

    before, after = asyncio.run(_migrated(read_settings().store_url, to, down))
    told = {"from": before or "base", "to": after or "base"}
    say(told, as_json=as_json, text=f"the store went from revision {told['from']} to {told['to']}")


def backup(
    to: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.")], as_json: AsJson = False
) -> None:
    """Write all the store holds, keys among it, into one file, while servers go on.

    Example: trailmate backup ./monday.db
    """
    from serving.settings import read_settings
    from serving.storage.archive import back_up

    counts = asyncio.run(back_up(read_settings().store_url, to))
    say({"file": str(to), "rows": counts}, as_json=as_json, text=f"{sum(counts.values())} rows are in {to}")


def restore(
    archive: Annotated[Path, typer.Argument(help="A file that `trailmate backup` wrote.")], as_json: AsJson = False
) -> None:
    """Fill an empty store, SQLite or PostgreSQL, from a backup.

    Example: trailmate restore ./monday.db
    """
    from serving.settings import read_settings
    from serving.storage import archive as archives

    counts = asyncio.run(archives.restore(archive, read_settings().store_url))
    say({"file": str(archive), "rows": counts}, as_json=as_json, text=f"{sum(counts.values())} rows are restored")


async def _migrated(url: str, to: str | None, down: bool) -> tuple[str | None, str | None]:
    from serving.storage.database import connected
    from serving.storage.migrating import migrate as walk

    async with connected(url, patience_s=3600.0) as database:
        return await walk(database, to, down=down)
