"""Rules and overrides as the store keeps them, and as the engine reads them."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from engine.domain.rule import Rule
from engine.rules.language import Plain, plain_of, rule_of
from serving.overriding import compiled
from serving.storage.port import KeptRule

RULE, OVERRIDE = "rule", "override"
# Kept by the server beside the record, and so never inside it.
_BESIDE = ("version", "author", "created_at", "updated_at")


def rules_kept(kept: Iterable[KeptRule], zone: ZoneInfo) -> tuple[Rule, ...]:
    """What the engine reads: each rule as it is, each override as the rules it comes to."""
    return tuple(rule for one in kept for rule in rules_of(one, zone))


def rules_of(kept: KeptRule, zone: ZoneInfo) -> tuple[Rule, ...]:
    """The rule that is kept, or the rules an override comes to, with version, author and times."""
    plain: Plain = json.loads(kept.record)
    read = (rule_of(plain, zone=zone),) if kept.origin == RULE else compiled(plain, zone=zone)
    return tuple(
        replace(
            rule,
            version=kept.version,
            author=kept.author,
            created_at=_iso(kept.created_at),
            updated_at=_iso(kept.at),
        )
        for rule in read
    )


def record_of(rule: Rule) -> str:
    """The rule as it is kept."""
    plain = {name: value for name, value in plain_of(rule).items() if name not in _BESIDE}
    return json.dumps(plain, ensure_ascii=True, sort_keys=True)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
