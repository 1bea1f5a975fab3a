"""What a teacher's desk has at hand: who is under a rule, what is known of them, and what is wrong with a draft."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from engine.domain.history import microseconds
from engine.domain.rule import Rule
from engine.learner.fold import fresh
from engine.learner.menu import known_of
from engine.rules.desk import problems_with
from engine.rules.problems import Desk, Floats, Problem
from engine.rules.scope import Who, speaks_to
from serving.approving import CurrentApprovals
from serving.current_bundle import CurrentBundle
from serving.current_rules import CurrentRules, InForce
from serving.in_group import Named, who_of, who_sits
from serving.known_learner import KnownLearner, learner_in_sight
from serving.schemas import MAX_LEARNERS
from serving.storage.port import LearnerContext, Met, Store

# So many chances of success are looked up for the desk, in some 0.1 s: whoever is left over counts as having something.
_MOST_CHANCES = 30_000
_NOT_NAMED: Named = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Where rules are written: one school, what answers it, who writes (the id of their key) and when."""

    tenant: str
    author: str
    store: Store
    bundles: CurrentBundle
    rules: CurrentRules
    approvals: CurrentApprovals
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a draft is seen against: the rules in force, everybody there is, and who is in its scope, by id.

    `known` is what is known of those in scope, of at most 200 of them.
    """

    in_force: InForce
    roster: tuple[Who, ...]
    inside: tuple[Who, ...]
    known: tuple[KnownLearner, ...]
    class_ids: frozenset[str]

    def others(self, rule_ids: Iterable[str]) -> list[Rule]:
        """The rules in force but for some."""
        without = set(rule_ids)
        return [rule for rule in self.in_force.rules if rule.rule_id not in without]


async def standing_now(office: Office) -> InForce:
    """The rules as they stand, compiled over the offer as it stands."""
    standing = await office.store.rules.standing(office.tenant)
    recommender = await office.bundles.recommender(office.tenant, standing.catalogue_version, office.store.catalogue)
    return await office.rules.in_force(office.tenant, standing.version, recommender)


async def sight_of(drafts: Sequence[Rule], office: Office) -> Sight:
    """What drafts of one scope are seen against."""
    in_force = await standing_now(office)
    roster = await _roster(drafts, in_force, office)
    inside = tuple(sorted((w for w in roster if speaks_to(drafts[0], w)), key=lambda w: w.learner_id))
    asked = [w.learner_id for w in inside[:MAX_LEARNERS]]
    contexts = await office.store.events.contexts(office.tenant, asked)
    known = await asyncio.to_thread(_in_sight, office.tenant, contexts, in_force)
    classes = await office.store.people.classes(office.tenant)
    return Sight(
        in_force=in_force,
        roster=roster,
        inside=inside,
        known=known,
        class_ids=frozenset(c.class_id for c in classes),
    )


async def everybody(sight: Sight, office: Office) -> AsyncIterator[KnownLearner]:
    """What is known of everybody in scope, however many they are."""
    for one in sight.known:
        yield one
    others = [who.learner_id for who in sight.inside[len(sight.known) :]]
    for first in range(0, len(others), MAX_LEARNERS):
        contexts = await office.store.events.contexts(office.tenant, others[first : first + MAX_LEARNERS])
        for one in await asyncio.to_thread(_in_sight, office.tenant, contexts, sight.in_force):
            yield one


async def problems_of(drafts: Sequence[Rule], sight: Sight, office: Office) -> tuple[Problem, ...]:
    """What is wrong with drafts beside all other rules, refusals first."""
    return await asyncio.to_thread(_problems, drafts, sight, microseconds(office.now))


def _problems(drafts: Sequence[Rule], sight: Sight, now_us: int) -> tuple[Problem, ...]:
    desk = _desk(drafts, sight, now_us)
    others = sight.others(r.rule_id for r in drafts)
    found = [problem for draft in drafts for problem in problems_with(draft, [*others, *drafts], desk)]
    return tuple(sorted(dict.fromkeys(found), key=lambda p: not p.refuses))


def _desk(drafts: Sequence[Rule], sight: Sight, now_us: int) -> Desk:
    in_force = sight.in_force
    recommender = in_force.recommender
    named = {x for rule in (*in_force.rules, *drafts) for x in rule.what.resources}
    contents = in_force.book.contents
    rows = {x: contents.resource_map.row(x) for x in named}
    titles = {x: contents.title(row) for x, row in rows.items() if row >= 0}
    return Desk(
        contents=contents,
        roster=sight.roster,
        zone=in_force.zone,
        now_us=now_us,
        graph=recommender.graph,
        titles={**recommender.titles, **titles},
        class_ids=sight.class_ids,
        mastery=_mastery(drafts, sight, now_us),
        chances=_chances(drafts, sight, now_us),
    )


def _mastery(drafts: Sequence[Rule], sight: Sight, now_us: int) -> dict[str, dict[str, float]]:
    """Mastery of what pinned and assigned resources build on, by learner; nothing where nobody can say."""
    recommender, contents = sight.in_force.recommender, sight.in_force.book.contents
    teaching = recommender.teaching
    put_in = [x for rule in drafts if rule.verb in ("pin", "assign") for x in rule.what.resources]
    if teaching is None or recommender.learner is None or not put_in:
        return {}
    resources = [contents.resources[row] for x in put_in if (row := contents.resource_map.row(x)) >= 0]
    needed = {p for r in resources if r is not None for s in r.skills for p in recommender.graph.get(s, ())}
    skills = sorted(needed & teaching.menu.number.keys())
    asked = np.array([teaching.menu.number[s] for s in skills], np.int64)
    order = np.argsort(asked)
    found = {}
    for one in sight.known:
        if one.state is not None and len(asked):
            seen = known_of(
                teaching.menu, np.empty(0, np.int64), asked[order],
                state=one.state, model=recommender.learner, now_us=now_us,
            )  # fmt: skip
            found[one.learner_id] = {s: float(seen.known[k]) for s, k in zip(skills, asked.tolist(), strict=True)}
    return found


def _chances(drafts: Sequence[Rule], sight: Sight, now_us: int) -> dict[str, Floats]:
    """Chances of success of all that is offered, by learner; nothing where no draft asks or nobody can say."""
    recommender = sight.in_force.recommender
    teaching, model = recommender.teaching, recommender.learner
    if teaching is None or model is None or all(rule.verb != "success_band" for rule in drafts):
        return {}
    resources = recommender.catalogue.resources
    rows = np.array([row for row, resource in enumerate(resources) if resource is not None], np.int64)
    found = dict.fromkeys((who.learner_id for who in sight.inside), np.full(len(resources), np.nan))
    for one in sight.known[: max(_MOST_CHANCES // max(len(rows), 1), 1)]:
        state = one.state or fresh(model, recommender.offer)
        seen = known_of(teaching.menu, rows, np.empty(0, np.int64), state=state, model=model, now_us=now_us)
        chances = np.full(len(resources), np.nan)
        chances[rows] = seen.p
        found[one.learner_id] = chances
    return found


def _in_sight(tenant: str, contexts: dict[str, LearnerContext], in_force: InForce) -> tuple[KnownLearner, ...]:
    return tuple(learner_in_sight(tenant, x, context, in_force.recommender) for x, context in contexts.items())


async def _roster(drafts: Sequence[Rule], in_force: InForce, office: Office) -> tuple[Who, ...]:
    """Everybody the school told of, and those that events name where a draft may speak to them.

    Events may name groups, so the whole log is looked through where a rule speaks of one.
    """
    people, tenant, scope = office.store.people, office.tenant, drafts[0].scope
    records = {x.learner_id: x.classes for x in await people.learners(tenant)}
    everybody = scope.level in (0, 2) or any(
        r.scope.group_id is not None or r.verb == "lock" for r in (*in_force.rules, *drafts)
    )
    now_us = microseconds(office.now)
    if everybody:
        return _met_or_told(records, await people.met(tenant), in_force, now_us)
    named = {x for rule in drafts for x in rule.what.learners}
    if scope.class_id is not None:
        named |= set(await people.members(tenant, scope.class_id))
    if scope.learner_id is not None:
        named.add(scope.learner_id)
    unknown = sorted(named - records.keys())
    contexts = await office.store.events.contexts(tenant, unknown)
    met = [who_of(x, c, in_force.groups, now_us=now_us) for x, c in contexts.items() if c.interactions]
    return (*(who_sits(x, c, _NOT_NAMED, in_force.groups, now_us=now_us) for x, c in records.items()), *met)


def _met_or_told(
    records: dict[str, tuple[str, ...]], met: Sequence[Met], in_force: InForce, now_us: int
) -> tuple[Who, ...]:
    """As `who_of` says it of each, out of all that events name."""
    classes: dict[str, set[str]] = {}
    groups: dict[str, dict[str | None, str]] = {}
    for one in met:
        classes.setdefault(one.learner_id, set()).update([one.class_id] if one.class_id is not None else [])
        if one.group_id is not None:
            groups.setdefault(one.learner_id, {})[one.class_id] = one.group_id
    return tuple(
        who_sits(
            x,
            records.get(x) or tuple(sorted(classes.get(x, ()))),
            groups.get(x, _NOT_NAMED),
            in_force.groups,
            now_us=now_us,
        )
        for x in sorted(records.keys() | classes.keys())
    )
