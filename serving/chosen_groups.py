"""The groupings that teachers chose: kept, and told with what they come to over time."""

from collections.abc import Sequence
from datetime import datetime
from itertools import combinations

import numpy as np

from engine.collaborators.contacts import HELPED, contacts_of
from engine.collaborators.fairness import gini, repeat_rate
from engine.collaborators.roster import ID
from engine.domain.errors import BadInput
from engine.domain.grouping import Group, Grouping, group_ids_of
from engine.domain.history import microseconds
from serving.crowds import MAX_ROUNDS
from serving.in_class import require_class
from serving.schemas_together import ChosenGroupOut, GroupingIn, GroupingOut, GroupingsOut
from serving.storage.port import Store
from serving.wire import utc, valid_id

# Pairs that met in so many rounds before count as repeats.
REPEATS_WITHIN = 3


async def keep(grouping_id: str, given: GroupingIn, *, tenant: str, store: Store, now: datetime) -> GroupingOut:
    """Keep a grouping, in place of the one of its id; raises BadInput where a learner stands in two groups."""
    groups = tuple(
        Group(
            learner_ids=tuple(valid_id(x, ID) for x in g.learner_ids),
            group_id=None if g.group_id is None else valid_id(g.group_id, "group_id"),
            resource_id=None if g.resource_id is None else valid_id(g.resource_id, "resource_id"),
            title=g.title,
        )
        for g in given.groups
    )
    placed = [x for g in groups for x in g.learner_ids]
    if len(placed) != len(set(placed)):
        raise BadInput("a learner stands in two groups of this grouping, or twice in one; leave them in one")
    grouping = Grouping(
        grouping_id=valid_id(grouping_id, "grouping_id"),
        class_id=valid_id(given.class_id, "class_id"),
        at=utc(given.at) or now,
        groups=groups,
        mode=given.mode,
        proposed=tuple(tuple(str(x) for x in group) for group in given.proposed),
    )
    names = [valid_id(x, "group_id") for x in group_ids_of(grouping)]
    if len(names) != len(set(names)):
        raise BadInput("two groups of this grouping have one group_id; give each its own, or leave it out")
    await store.groupings.put(tenant, grouping)
    before = await store.groupings.of_class(tenant, grouping.class_id, limit=MAX_ROUNDS)
    return _grouping_out(grouping, [g for g in before if (g.at, g.grouping_id) < (grouping.at, grouping.grouping_id)])


async def kept_of(class_id: str, *, limit: int, tenant: str, store: Store, now: datetime) -> GroupingsOut:
    """The groupings of a class, and what they come to over time; raises Unknown for a class nobody knows."""
    members = await store.people.members(tenant, class_id)
    found = await store.groupings.of_class(tenant, class_id, limit=limit + REPEATS_WITHIN)
    await require_class(tenant, class_id, [*members, *(g.grouping_id for g in found)], store)
    contexts = await store.events.contexts(tenant, members) if members else {}
    rows = {x: row for row, x in enumerate(members)}
    contacts = contacts_of((e for c in contexts.values() for e in c.interactions), rows).before(microseconds(now))
    loads = np.bincount(contacts.of_kind(HELPED).who, minlength=len(members)).astype(np.float64)
    ids = {x: n for n, x in enumerate(sorted({x for g in found for one in g.groups for x in one.learner_ids}))}
    rounds = [[[ids[x] for x in one.learner_ids] for one in g.groups] for g in reversed(found)]
    return GroupingsOut(
        class_id=class_id,
        groupings=[_grouping_out(g, found[at + 1 :]) for at, g in enumerate(found[:limit])],
        repeat_rate=round(repeat_rate(rounds, within=REPEATS_WITHIN), 4),
        helper_load_gini=round(gini(loads), 4),
    )


def _grouping_out(grouping: Grouping, before: Sequence[Grouping]) -> GroupingOut:
    """The grouping, with how many of its pairs met in one of the rounds before, newest first."""
    pairs = _pairs(grouping)
    met = set[tuple[str, str]]().union(*map(_pairs, before[:REPEATS_WITHIN]))
    return GroupingOut(
        grouping_id=grouping.grouping_id,
        class_id=grouping.class_id,
        at=grouping.at,
        mode=grouping.mode,
        groups=[
            ChosenGroupOut(number, g.learner_ids, g.resource_id, g.title, group_id)
            for number, (group_id, g) in enumerate(zip(group_ids_of(grouping), grouping.groups, strict=True), 1)
        ],
        repeats=len(pairs & met),
        pairs=len(pairs),
    )


def _pairs(grouping: Grouping) -> set[tuple[str, str]]:
    return {(a, b) for g in grouping.groups for a, b in combinations(sorted(g.learner_ids), 2)}
