"""`trailmate audit`: whether the chain of who changed what is whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from serving.storage.chain import Verified

audit = typer.Typer(
    help="""Check the audit, and print its head to keep elsewhere.

    Example: trailmate audit verify --tenant school
    """,
    no_args_is_help=True,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@audit.command()
def verify(
    tenant: Annotated[str | None, typer.Option(help="One school; without it, all of them.")] = None,
    head: Annotated[str | None, typer.Option(help="A head that `trailmate audit head` printed once.")] = None,
    as_json: AsJson = False,
) -> None:
    """Walk the chain from its first entry; exit 1 names the first entry that is not as it was written.

    Example: trailmate audit verify --tenant school --head 5f1c…
    """
    from serving.settings import tenant_named
    from trailmate.cli.progress import say

    if head is not None and tenant is None:
        raise typer.BadParameter("a head belongs to one school; name it with --tenant", param_hint="--head")
    found = asyncio.run(_verified(tenant_named(tenant) if tenant else None, head.strip().lower() if head else None))
    told = {school: _shown(one) for school, one in found.items()}
    whole = all(one.broken is None for one in found.values())
    text = "\n".join(_line(school, one) for school, one in found.items()) or "nothing has been audited yet"
    say({"ok": whole, "tenants": told}, as_json=as_json, text=text)
    if not whole:
        raise typer.Exit(1)


@audit.command()
def head(tenant: Annotated[str, typer.Option(help="The school.")] = "school", as_json: AsJson = False) -> None:
    """Print the last hash of the chain: kept elsewhere, it shows later that nothing before it was cut off.

    Example: trailmate audit head --tenant school
    """
    from serving.settings import tenant_named
    from trailmate.cli.progress import say

    seq, last = asyncio.run(_head(tenant_named(tenant)))
    say({"tenant": tenant, "entries": seq, "head": last}, as_json=as_json, text=last)


def _shown(found: Verified) -> dict[str, Any]:
    broken = None if found.broken is None else {"seq": found.broken.seq, "what": found.broken.what}
    return {"entries": found.entries, "erased": found.erased, "head": found.head, "broken": broken}


def _line(school: str, found: Verified) -> str:
    if found.broken is not None:
        return f"{school}: broken at entry {found.broken.seq}: {found.broken.what}; restore a backup and compare"
    erased = f", {found.erased} of them erased" if found.erased else ""
    return f"{school}: ok, {found.entries} entries{erased}, head {found.head}"


async def _verified(tenant: str | None, kept: str | None) -> dict[str, Verified]:
    from serving.auditing import verify as walk
    from serving.settings import read_settings
    from serving.storage.opening import open_store

    async with open_store(read_settings().store_url) as store:
        schools = await store.audit.tenants() if tenant is None else [tenant]
        return {school: await walk(school, store.audit, kept=kept) for school in schools}


async def _head(tenant: str) -> tuple[int, str]:
    from serving.settings import read_settings
    from serving.storage.opening import open_store

    async with open_store(read_settings().store_url) as store:
        return await store.audit.head(tenant)
