"""Keys open what they should, and nothing else."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.domain.errors import BadInput, Refused
from serving.auth import SCOPES, KeyRing, new_key, require
from serving.errors import Unauthenticated
from serving.storage.opening import open_store

NOW = datetime(2026, 9, 1, tzinfo=UTC)


def test_only_a_hash_of_the_secret_is_kept_and_no_two_keys_are_alike() -> None:
    key, text = new_key("t", ["events", "recommend"], now=NOW)
    other, _ = new_key("t", ["events"], now=NOW)
    secret = text.removeprefix(f"tm_{key.key_id}_")
    assert len(secret) == 43
    assert secret not in repr(replace(key, secret_hash="")) + key.secret_hash
    assert key.secret_hash not in repr(key)
    assert (key.key_id, key.secret_hash) != (other.key_id, other.secret_hash)


@pytest.mark.parametrize("scopes", [[], ["everything"], ["events", ""]])
def test_unknown_scopes_are_refused_by_name(scopes: list[str]) -> None:
    with pytest.raises(BadInput, match="recommend, events, catalogue, rules, read, audit, admin"):
        new_key("t", scopes, now=NOW)


@pytest.mark.parametrize("held", SCOPES)
@pytest.mark.parametrize("needed", SCOPES)
def test_a_key_opens_its_own_scope_and_admin_opens_all(held: str, needed: str) -> None:
    key, _ = new_key("t", [held], now=NOW)
    if held in (needed, "admin"):
        require(key, needed)
    else:
        with pytest.raises(Refused, match=f"scope {needed};"):
            require(key, needed)


def test_keys_are_verified_and_a_revoked_one_dies_within_the_second(tmp_path: Path) -> None:
    clock = [100.0]

    async def story() -> None:
        async with open_store(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}") as store:
            key, text = new_key("t", ["events"], now=NOW)
            await store.keys.add(key)
            ring = KeyRing(store.keys, remember_s=0.5, clock=lambda: clock[0])
            assert await ring.verified(f"Bearer {text}") == key
            changed = text[:-1] + ("A" if text[-1] != "A" else "B")
            stranger = text.replace(key.key_id, "0" * 12)
            for wrong in (None, "", text, f"Basic {text}", "Bearer tm_x_y", f"Bearer {changed}", f"Bearer {stranger}"):
                with pytest.raises(Unauthenticated) as refusal:
                    await ring.verified(wrong)
                assert text[20:] not in str(refusal.value)
            await store.keys.revoke("t", key.key_id, NOW)
            clock[0] += 1.0
            with pytest.raises(Unauthenticated):
                await ring.verified(f"Bearer {text}")

    asyncio.run(story())
