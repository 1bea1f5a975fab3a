"""Groups for a class: proposals under the teacher's rules, and the groupings that were chosen."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from engine.collaborators.checking import checked
from engine.collaborators.conflict import Conflict
from engine.collaborators.contacts import HELPED, contacts_of
from engine.collaborators.counts import Count
from engine.collaborators.edits import learned
from engine.collaborators.fairness import gini, repeat_rate
from engine.collaborators.modes import Known, plan_of
from engine.collaborators.peer_tasks import known_of_crowd
from engine.collaborators.propose import Effort, Proposal, propose
from engine.collaborators.roster import ID, Roster
from engine.collaborators.spec import Met, Rule, Size, Spec, spec_of
from engine.collaborators.tasks import ready_skills, tasks_of
from engine.collaborators.teachers import (
    HISTORY,
    LOCKED,
    MODE,
    REQUEST,
    Line,
    history_of,
    lines_of,
    numbered_in,
    size_under,
    wishes_of,
)
from engine.domain.errors import BadInput
from engine.domain.grouping import Group, Grouping
from engine.domain.history import microseconds
from engine.domain.resource import Resource
from engine.rules.people import People, people_of
from serving.collaborating import task_out
from serving.contact import RulesOf
from serving.crowds import MAX_ROUNDS, Crowds, Gathered, require_class
from serving.errors import Conflicting
from serving.schemas_together import (
    ChosenGroupOut,
    GroupingIn,
    GroupingOut,
    GroupingsOut,
    GroupOut,
    GroupRuleOut,
    GroupsIn,
    GroupsOut,
    LeftOutOut,
    ProposalOut,
)
from serving.storage.port import Store
from serving.wire import utc, valid_id

# Pairs that met in so many rounds before count as repeats.
REPEATS_WITHIN = 3


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is asked for as a roster and lines, who is grouped and who is left out, and what may look like a slip."""

    known: Known
    roster: Roster
    size: Size
    lines: list[Line]
    left_out: list[LeftOutOut]
    notes: list[str]


async def groups_for(
    asked: GroupsIn,
    *,
    tenant: str,
    store: Store,
    crowds: Crowds,
    rules_of: RulesOf,
    zone: ZoneInfo,
    now: datetime,
) -> GroupsOut:
    """Proposals for a class, the best first; the days of rules are those of `zone`.

    Raises:
        Conflicting: hard rules that cannot all hold, the smallest set of them.
        BadInput: a rule, a size or a column that cannot be understood, or nobody to group.
        Unavailable: no grouping was found in time, nor the proof that there is none.
    """
    class_id = valid_id(asked.class_id, "class_id")
    gathered = await crowds.of_class(tenant, class_id, now=now, skills=asked.skills or ())
    await require_class(tenant, class_id, gathered.crowd.learner_ids, store)
    people = people_of(await rules_of(tenant), gathered.roster, now_us=microseconds(now), zone=zone)
    plan = _planned(asked, gathered, people, now)
    return await asyncio.to_thread(_proposed, asked, class_id, gathered, plan)


async def keep(grouping_id: str, given: GroupingIn, *, tenant: str, store: Store, now: datetime) -> GroupingOut:
    """Keep a grouping, in place of the one of its id; raises BadInput where a learner stands in two groups."""
    groups = tuple(
        Group(
            learner_ids=tuple(valid_id(x, ID) for x in g.learner_ids),
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


def _planned(asked: GroupsIn, gathered: Gathered, people: People, now: datetime) -> _Plan:
    crowd = gathered.crowd
    absent = {str(x) for x in asked.absent}
    away = {x for x, wants in zip(crowd.learner_ids, crowd.open_, strict=True) if not wants}
    left_out = [
        LeftOutOut(x, "absent" if x in absent else "opted_out") for x in sorted((absent & {*crowd.learner_ids}) | away)
    ]
    out = {one.learner_id for one in left_out}
    rows = [row for row, x in enumerate(crowd.learner_ids) if x not in out]
    if not rows:
        raise BadInput(
            "there is nobody in this class to group: tell of its learners with PUT /v1/learners/{learner_id}"
        )
    known = _over(known_of_crowd(crowd, rows), asked.skills)
    roster = Roster(known.learner_ids, _columns(asked, known.learner_ids))
    ruled, columns = lines_of(people, roster)
    roster = replace(roster, columns={**roster.columns, **columns})
    history = history_of(gathered.groupings)
    own, notes = _own(asked, roster, out, history)
    size, keeps = size_under(_size_of(asked), people.size)
    if not keeps and people.size is not None:
        raise Conflicting(
            "the size that was asked for breaks a hard rule about it; ask for another, or change the rule",
            {"rules": [], "rule_ids": sorted(people.size.rule_ids), "locked": []},
        )
    lines = [*own, *_locked(asked, roster), *ruled]
    if history and all(line.rule.verb != "avoid_repeat" for line in own):
        lines.append(Line(Rule(index=0, verb="avoid_repeat", hard=False, past=history), HISTORY))
    lines += wishes_of(learned(gathered.groupings, now), roster)
    return _Plan(known, roster, size, lines, left_out, notes)


def _over(known: Known, skills: Sequence[str] | None) -> Known:
    """The same with only these skills, where any are named."""
    if skills is None:
        return known
    places = [k for k, skill in enumerate(known.skills) if skill in set(skills)]
    return replace(
        known,
        skills=tuple(known.skills[k] for k in places),
        mastery=known.mastery[:, places],
        ready=known.ready[:, places],
    )


def _columns(asked: GroupsIn, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    if any(name.startswith("_") or name == ID for name in asked.columns):
        raise BadInput("a name in columns begins with _ or is learner_id; give it another")
    return {name: tuple(values.get(x, "").strip() for x in ids) for name, values in asked.columns.items()}


def _size_of(asked: GroupsIn) -> Size | None:
    return None if asked.size is None else spec_of({"size": asked.size}).size


def _own(asked: GroupsIn, roster: Roster, out: set[str], history: tuple[Met, ...]) -> tuple[list[Line], list[str]]:
    """The request's own rules; those it names who are left out drop out of them."""
    told: list[dict[str, Any]] = [
        {**rule, "past": rule.get("past", _dicts(history))}
        if rule.get("verb") == "avoid_repeat" and "file" not in rule
        else rule
        for rule in asked.rules
    ]
    if any("file" in rule for rule in told):
        raise BadInput("a rule names a file, which only the command line can read; give the rows as past instead")
    asked_for = spec_of({"size": 1, "rules": told})
    kept = tuple(replace(rule, learners=tuple(x for x in rule.learners if x not in out)) for rule in asked_for.rules)
    spec, notes = checked(roster, Spec(asked_for.size, kept))
    fewer = (rule for rule, now in zip(asked_for.rules, kept, strict=True) if len(now.learners) < len(rule.learners))
    notes += [f"{rule.name} names learners who are left out today" for rule in fewer]
    return [Line(rule, REQUEST, rule.index) for rule in spec.rules], notes


def _dicts(history: tuple[Met, ...]) -> list[dict[str, str]]:
    return [{"round": m.round, "group": m.group, "learner_id": m.learner_id} for m in history]


def _locked(asked: GroupsIn, roster: Roster) -> list[Line]:
    there, lines = roster.rows(), []
    for place, one in enumerate(asked.locked):
        who = tuple(dict.fromkeys(str(x) for x in one.learner_ids))
        if any(x not in there for x in who):
            raise BadInput(f"locked[{place}] names a learner who is not grouped here; correct the id, or leave it out")
        lines.append(Line(Rule(index=0, verb="lock", hard=True, learners=who, group=one.group), LOCKED, place))
    return lines


def _proposed(asked: GroupsIn, class_id: str, gathered: Gathered, plan: _Plan) -> GroupsOut:
    """The work itself, beside the loop."""
    roster, spec = plan_of(asked.mode, plan.known, plan.size, numbered_in(plan.lines), plan.roster)
    lines = [*plan.lines, *(Line(rule, MODE) for rule in spec.rules[len(plan.lines) :])]
    effort = Effort(seed=asked.seed, seconds=asked.seconds, n_proposals=asked.proposals)
    found = propose(roster, spec, effort, clock=time.perf_counter)
    if isinstance(found, Conflict):
        raise _conflicting(found, lines, len(roster))
    resources = [r for r in gathered.recommender.catalogue.resources if r is not None]
    return GroupsOut(
        class_id=class_id,
        mode=asked.mode,
        proposals=[_proposal(one, plan.known, lines, resources) for one in found.proposals],
        bound=round(found.bound, 6),
        proved_best=found.proved,
        seed=found.seed,
        left_out=plan.left_out,
        notes=plan.notes,
    )


def _proposal(one: Proposal, known: Known, lines: Sequence[Line], resources: Sequence[Resource]) -> ProposalOut:
    n = one.layout.n_groups
    tasks = tasks_of(known, one.groups, n, resources)
    by_id = {r.resource_id: r for r in resources}
    groups = []
    for g in range(n):
        members = np.flatnonzero(one.groups == g)
        groups.append(
            GroupOut(
                group=g + 1,
                learner_ids=tuple(known.learner_ids[i] for i in members),
                skills=ready_skills(known, members.tolist()),
                task=task_out(tasks[g], by_id),
            )
        )
    return ProposalOut(
        grouping_id=uuid.uuid4().hex,
        groups=groups,
        rules=[_rule_out(count, lines) for count in one.counts],
        objective=round(one.objective, 6),
        broken=round(one.broken, 6),
    )


def _rule_out(count: Count, lines: Sequence[Line]) -> GroupRuleOut:
    line, rule = lines[count.rule.index], count.rule
    return GroupRuleOut(
        origin=line.origin,
        index=line.place,
        rule_ids=line.rule_ids,
        verb=rule.verb,
        strength="hard" if rule.hard else "soft",
        weight=round(rule.weight, 4),
        broken=int(count.broken),
        of=int(count.of),
        by_group=tuple(int(x) for x in count.by_group),
    )


def _conflicting(found: Conflict, lines: Sequence[Line], n: int) -> Conflicting:
    """What a teacher may give up; the rules' reasons stay with whoever wrote them."""
    own = [lines[index] for index in found.rules]
    told: dict[str, list[int | str]] = {
        "rules": sorted(x.place for x in own if x.origin == REQUEST and x.place is not None),
        "rule_ids": sorted({rule_id for x in own for rule_id in x.rule_ids}),
        "locked": sorted(x.place for x in own if x.origin == LOCKED and x.place is not None),
    }
    if not own:
        return Conflicting(f"no number of groups of this size has room for {n} learners; choose another size", told)
    names = ", ".join(_name(x) for x in own)
    rest = "change or suspend it" if len(own) == 1 else "give up any one of them"
    return Conflicting(f"in this class of {n} these hard rules cannot all hold: {names}; {rest}", told)


def _name(line: Line) -> str:
    if line.origin == REQUEST:
        return line.rule.name.replace(f"[{line.rule.index}]", f"[{line.place}]")
    if line.origin == LOCKED:
        return f"locked[{line.place}]"
    return f"a rule of the school ({line.rule.verb})"


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
            ChosenGroupOut(number, g.learner_ids, g.resource_id, g.title, grouping.name(number))
            for number, g in enumerate(grouping.groups, 1)
        ],
        repeats=len(pairs & met),
        pairs=len(pairs),
    )


def _pairs(grouping: Grouping) -> set[tuple[str, str]]:
    return {(a, b) for g in grouping.groups for a, b in combinations(sorted(g.learner_ids), 2)}
