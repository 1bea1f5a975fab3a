"""`trailmate keys`: who may ask, for which school, and what."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.domain.errors import BadInput, Unknown

if TYPE_CHECKING:
    from serving.storage.port import Key

keys = typer.Typer(
    help="""Make, list and revoke the keys of a tenant.

    Example: trailmate keys create --tenant school --scopes recommend,events,catalogue
    """,
    no_args_is_help=True,
)

Tenant = Annotated[str, typer.Option(help="The school the key belongs to.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@keys.command()
def create(
    tenant: Tenant = "school",
    scopes: Annotated[
        str, typer.Option(help="recommend, events, catalogue, rules, read, audit, admin.")
    ] = "recommend,events",
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once: only its hash is kept.

    Example: trailmate keys create --tenant school --scopes recommend,events,catalogue
    """
    from serving.auth import new_key
    from serving.settings import tenant_named
    from trailmate.cli.progress import say

    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    school = tenant_named(tenant)
    try:
        key, secret = new_key(school, wanted, now=datetime.now(UTC))
    except BadInput as problem:
        raise typer.BadParameter(str(problem), param_hint="--scopes") from None
    asyncio.run(_add(key))
    text = f"{secret}\n  for {tenant}: {', '.join(key.scopes)}\n  keep it now, it is not shown again"
    say({"key": secret, **_shown(key)}, as_json=as_json, text=text)


@keys.command("list")
def list_keys(tenant: Tenant = "school", as_json: AsJson = False) -> None:
    """List the keys of a tenant, without their secrets.

    Example: trailmate keys list --tenant school
    """
    from serving.settings import tenant_named
    from trailmate.cli.progress import say

    found = [_shown(key) for key in asyncio.run(_of_tenant(tenant_named(tenant)))]
    lines = [
        f"{k['key_id']}  made {k['created_at'][:19]}  {', '.join(k['scopes'])}  "
        + (f"revoked {k['revoked_at'][:19]}" if k["revoked_at"] else "valid")
        for k in found
    ]
    say({"keys": found}, as_json=as_json, text="\n".join(lines) or f"{tenant} has no keys")


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The id: what stands between the first two _ of the key.")],
    tenant: Tenant = "school",
    as_json: AsJson = False,
) -> None:
    """Revoke a key; a running server honours it within a second.

    Example: trailmate keys revoke 1f3a5b7c9d0e --tenant school
    """
    from serving.settings import tenant_named
    from trailmate.cli.progress import say

    if not asyncio.run(_revoke(tenant_named(tenant), key_id)):
        raise Unknown(f"{tenant} has no key {key_id}; `trailmate keys list --tenant {tenant}` shows them")
    say({"key_id": key_id, "revoked": True}, as_json=as_json, text=f"{key_id} is revoked")


def _shown(key: Key) -> dict[str, Any]:
    revoked = key.revoked_at.isoformat() if key.revoked_at else None
    return {
        "key_id": key.key_id,
        "tenant": key.tenant,
        "scopes": list(key.scopes),
        "created_at": key.created_at.isoformat(),
        "revoked_at": revoked,
    }


async def _add(key: Key) -> None:
    from serving.settings import read_settings
    from serving.storage.opening import open_store

    async with open_store(read_settings().store_url) as store:
        await store.keys.add(key)


async def _of_tenant(tenant: str) -> list[Key]:
    from serving.settings import read_settings
    from serving.storage.opening import open_store

    async with open_store(read_settings().store_url) as store:
        return await store.keys.of_tenant(tenant)


async def _revoke(tenant: str, key_id: str) -> bool:
    from serving.settings import read_settings
    from serving.storage.opening import open_store

    async with open_store(read_settings().store_url) as store:
        return await store.keys.revoke(tenant, key_id, datetime.now(UTC))
