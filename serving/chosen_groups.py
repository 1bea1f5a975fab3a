"""The groupings that teachers chose: kept, and told with what they come to over time."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from itertools import combinations

import msgspec
import numpy as np

from engine.collaborators.contacts import HELPED
from engine.collaborators.fairness import alone, gini, repeat_rate
from engine.domain.errors import Unknown
from engine.domain.grouping import Grouping, group_ids_of
from engine.domain.history import microseconds
from serving.choosing_groups import grouping_in, notes_on, require_known
from serving.crowds import MAX_ROUNDS, Crowds, contacts_among
from serving.errors import Conflict, Stale
from serving.in_class import require_class
from serving.rulebook import Match
from serving.schemas_together import ChosenGroupOut, GroupingIn, GroupingOut, GroupingsOut
from serving.storage.acts import Act
from serving.storage.chosen import Check
from serving.storage.port import Key, Store

ANY = Match()
_TAG_DIGITS = 20
# Pairs that met in so many rounds before count as repeats.
REPEATS_WITHIN = 3


async def keep(
    grouping_id: str, given: GroupingIn, *, key: Key, crowds: Crowds, act: Act, match: Match = ANY
) -> GroupingOut:
    """Keep a grouping, in place of the one of its id, and note what the teacher may want to look at.

    Where `match` says nothing, what stands is replaced whoever kept it.

    Raises:
        BadInput: a learner stands in two groups, or two groups have one name.
        Unknown, UnknownName: the class, or somebody or something that the groups name, is not known here.
        Conflict: the id is that of a grouping of another class.
        Stale: another version stands than `match` names.
    """
    grouping = grouping_in(grouping_id, given, now=act.at)
    store = crowds.store
    gathered = await crowds.of_class(key.tenant, grouping.class_id, now=act.at)
    await require_class(key.tenant, grouping.class_id, gathered.crowd.learner_ids, store)
    require_known(grouping, gathered)
    people = await crowds.people(key.tenant, gathered, version=gathered.rules_version, now=act.at)
    if not await store.groupings.put(key.tenant, grouping, act=act, check=_seen(match)):
        raise Conflict(
            "this id is that of groups kept for another class; give another id, or take those back first with "
            "DELETE /v1/groups/{grouping_id}"
        )
    before = [g for g in gathered.groupings if (g.at, g.grouping_id) < (grouping.at, grouping.grouping_id)]
    notes = notes_on(grouping, gathered, people, key=key, now=act.at)
    return _grouping_out(grouping, before, notes)


def etag_of(grouping: Grouping) -> str:
    """The tag of a grouping as it is kept: another where anything in it is."""
    return f'"{hashlib.sha256(msgspec.json.encode(grouping)).hexdigest()[:_TAG_DIGITS]}"'


def _seen(match: Match) -> Check:
    """What is asked of the grouping that stands: to be the one that was read, where the caller says which."""

    def check(stood: Grouping | None) -> None:
        if match.if_none_match is not None and stood is not None:
            raise Stale(
                "groups are kept under this id already; read them, and send their etag in If-Match to change them"
            )
        if match.if_match is None:
            return
        if stood is None:
            raise Stale("no groups are kept under this id, so none were read; leave If-Match out to keep them")
        tags = [tag.strip().removeprefix("W/") for tag in match.if_match.split(",")]
        if "*" not in tags and etag_of(stood) not in tags:
            raise Stale("somebody changed these groups since you read them; read them again, and send the new etag")

    return check


async def delete(grouping_id: str, *, tenant: str, store: Store, act: Act, match: Match = ANY) -> GroupingOut:
    """Delete a grouping: it is as if it had not been kept.

    Raises:
        Unknown: none is kept under this id.
        Stale: another version stands than `match` names.
    """
    gone = await store.groupings.delete(tenant, grouping_id, act=act, check=_seen(match))
    if gone is None:
        raise Unknown("no groups are kept under this id; GET /v1/groups?class_id= lists those of a class")
    left = await store.groupings.of_class(tenant, gone.class_id, limit=MAX_ROUNDS)
    return _grouping_out(gone, [g for g in left if (g.at, g.grouping_id) < (gone.at, gone.grouping_id)])


async def kept_of(class_id: str, *, limit: int, tenant: str, store: Store, now: datetime) -> GroupingsOut:
    """The groupings of a class, and what they come to over time; raises Unknown for a class nobody knows."""
    members = await store.people.members(tenant, class_id)
    found = await store.groupings.of_class(tenant, class_id, limit=max(limit + REPEATS_WITHIN, MAX_ROUNDS))
    await require_class(tenant, class_id, [*members, *(g.grouping_id for g in found)], store)
    contexts = await store.events.contexts(tenant, members) if members else {}
    rows, now_us = {x: row for row, x in enumerate(members)}, microseconds(now)
    contacts = contacts_among(contexts.values(), found[:MAX_ROUNDS], rows, now_us)
    loads = np.bincount(contacts.of_kind(HELPED).who, minlength=len(members)).astype(np.float64)
    lonely = alone(contacts, range(len(members)), now_us)
    own_choice = {x for x, c in contexts.items() if c.learner is not None and c.learner.sharing is False}
    found = found[: limit + REPEATS_WITHIN]
    ids = {x: n for n, x in enumerate(sorted({x for g in found for one in g.groups for x in one.learner_ids}))}
    rounds = [[[ids[x] for x in one.learner_ids] for one in g.groups] for g in reversed(found)]
    return GroupingsOut(
        class_id=class_id,
        groupings=[_grouping_out(g, found[at + 1 :]) for at, g in enumerate(found[:limit])],
        repeat_rate=round(repeat_rate(rounds, within=REPEATS_WITHIN), 4),
        helper_load_gini=round(gini(loads), 4),
        alone=None if lonely is None else [x for row in lonely if (x := members[row]) not in own_choice],
        alone_by_choice=[x for row in lonely or () if (x := members[row]) in own_choice],
        helper_loads={x: int(n) for x, n in zip(members, loads, strict=True) if n},
    )


def _grouping_out(grouping: Grouping, before: Sequence[Grouping], notes: Sequence[str] = ()) -> GroupingOut:
    """The grouping, with how many of its pairs met in one of the rounds before, newest first."""
    pairs = _pairs(grouping)
    others = [g for g in before if g.grouping_id != grouping.grouping_id]
    met = set[tuple[str, str]]().union(*map(_pairs, others[:REPEATS_WITHIN]))
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
        notes=list(notes),
        etag=etag_of(grouping),
    )


def _pairs(grouping: Grouping) -> set[tuple[str, str]]:
    return {(a, b) for g in grouping.groups for a, b in combinations(sorted(g.learner_ids), 2)}
