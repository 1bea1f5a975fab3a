"""What peers and groups ask of those who keep rules and approvals."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from engine.domain.rule import Rule
from serving.approving import contact_state
from serving.kept_rules import rules_kept
from serving.storage.port import Store

Pair = tuple[str, str]
# The rules of a tenant, whatever they speak of.
RulesOf = Callable[[str], Awaitable[Sequence[Rule]]]
# Of these pairs of a tenant, each with the smaller id first, those whose contact a teacher approved.
ApprovedOf = Callable[[str, Iterable[Pair]], Awaitable[frozenset[Pair]]]


def standing_rules(store: Store, zone: ZoneInfo) -> RulesOf:
    """What a store keeps as rules, read as the engine reads them."""

    async def rules_of(tenant: str) -> Sequence[Rule]:
        return rules_kept((await store.rules.standing(tenant)).rules, zone)

    return rules_of


def approved_contacts(store: Store, clock: Callable[[], datetime]) -> ApprovedOf:
    """Which contacts a teacher approved; of others the question is put, and contact waits."""

    async def approved_of(tenant: str, pairs: Iterable[Pair]) -> frozenset[Pair]:
        found = set()
        for one, other in pairs:
            state = await contact_state(one, other, class_id=None, tenant=tenant, store=store.approvals, now=clock())
            if state == "approved":
                found.add((one, other))
        return frozenset(found)

    return approved_of


def pair_of(one: str, other: str) -> Pair:
    """A pair whichever way round it is named."""
    return (min(one, other), max(one, other))
