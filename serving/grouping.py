"""Groups for a class: proposals under the teacher's rules."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from engine.collaborators.again import notes_on_again
from engine.collaborators.checking import Words, checked, mistakes_in, size_notes
from engine.collaborators.conflict import Conflict
from engine.collaborators.edits import learned
from engine.collaborators.modes import Known, plan_of
from engine.collaborators.peer_tasks import known_of_crowd
from engine.collaborators.precedence import in_order
from engine.collaborators.propose import Effort, propose
from engine.collaborators.purpose import notes_for
from engine.collaborators.roster import ID, Roster
from engine.collaborators.spec import Met, Rule, Size, Spec, layouts_of, spec_of
from engine.collaborators.teachers import (
    HISTORY,
    LOCKED,
    MODE,
    REQUEST,
    Line,
    fewest_groups,
    history_of,
    lines_of,
    numbered_in,
    silent_among,
    size_under,
    wishes_of,
)
from engine.collaborators.telling import UNDECIDED, notes_on
from engine.domain.errors import BadInput
from engine.domain.grouping import Grouping
from engine.rules.people import People
from serving.auth import may_name_rules
from serving.crowds import Crowds, Gathered, numbers_of
from serving.errors import Conflicting
from serving.in_class import require_class
from serving.known_names import require_skills
from serving.proposed_groups import Telling, proposal_out
from serving.schemas_together import GroupsIn, GroupsOut, LeftOutOut
from serving.storage.port import Key
from serving.wire import valid_id

_WORDS = Words(learners="in this class", columns="the request has not", nothing="add it to columns")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is asked for as a roster and lines, who is grouped and who is left out, and what may look like a slip.

    `size_rule_ids`: the rules the size comes from, where it was not asked for.
    """

    known: Known
    roster: Roster
    size: Size
    lines: list[Line]
    left_out: list[LeftOutOut]
    notes: list[str]
    size_rule_ids: tuple[str, ...] = ()


async def groups_for(asked: GroupsIn, *, key: Key, crowds: Crowds, now: datetime) -> GroupsOut:
    """Proposals for a class, the best first; the school's own rules are named to keys that may look at rules.

    Raises:
        UnknownName: a skill that nothing teaches and nobody told of.
        Conflicting: hard rules that cannot all hold, the smallest set of them.
        BadInput: a rule, a size or a column that cannot be understood, or nobody to group.
        Unavailable: no grouping was found in time, nor the proof that there is none.
    """
    class_id = valid_id(asked.class_id, "class_id")
    gathered = await crowds.of_class(key.tenant, class_id, now=now, skills=asked.skills or ())
    await require_class(key.tenant, class_id, gathered.crowd.learner_ids, crowds.store)
    require_skills(asked.skills or (), gathered.recommender, field="skills")
    people = await crowds.people(key.tenant, gathered, version=gathered.rules_version, now=now)
    may_name = may_name_rules(key)
    plan = _planned(asked, gathered, people, now=now, may_name=may_name)
    return await asyncio.to_thread(_proposed, asked, gathered, plan, may_name=may_name)


def _planned(asked: GroupsIn, gathered: Gathered, people: People, *, now: datetime, may_name: bool) -> _Plan:
    crowd = gathered.crowd
    absent, there = {str(x) for x in asked.absent}, {*crowd.learner_ids}
    away = {x for x, wants in zip(crowd.learner_ids, crowd.open_, strict=True) if not wants}
    left_out = [LeftOutOut(x, "absent" if x in absent else "opted_out") for x in sorted((absent & there) | away)]
    out = {one.learner_id for one in left_out}
    rows = [row for row, x in enumerate(crowd.learner_ids) if x not in out]
    if not rows:
        raise BadInput(
            "there is nobody in this class to group: tell of its learners with PUT /v1/learners/{learner_id}"
        )
    known = _over(known_of_crowd(crowd, rows), asked.skills)
    roster = Roster(known.learner_ids, _columns(asked, known.learner_ids))
    history = history_of(gathered.groupings)
    asked_for = _asked_for(asked, roster, out, history)
    size, keeps = size_under(asked_for.size if asked.size is not None else None, people.size)
    ruled, columns = lines_of(people, roster, _numbers(gathered.groupings, now, fewest_groups(size, len(roster))))
    own, notes = _own(asked_for, roster, out)
    notes += [*silent_among(people, roster), *(size_notes(size, len(roster)) if asked.size is not None else [])]
    notes += [f"absent[{n}] is nobody of this class" for n, x in enumerate(asked.absent) if str(x) not in there]
    roster = replace(roster, columns={**roster.columns, **columns})
    if not keeps and people.size is not None:
        raise Conflicting(
            "the size that was asked for breaks a hard rule about it; ask for another, or change the rule",
            {"rules": [], "rule_ids": sorted(people.size.rule_ids) if may_name else [], "locked": []},
        )
    locked = _locked(asked, roster)
    _require_groups([*own, *locked], size, len(roster))
    lines = [*own, *locked, *ruled]
    if history and all(line.rule.verb != "avoid_repeat" for line in own):
        lines.append(Line(Rule(index=0, verb="avoid_repeat", hard=False, past=history, after=True), HISTORY))
    lines += wishes_of(learned(gathered.groupings, now), roster)
    ruled_size = people.size.rule_ids if asked.size is None and people.size is not None else ()
    return _Plan(known, roster, size, lines, left_out, notes, ruled_size)


def _numbers(groupings: Sequence[Grouping], now: datetime, most: int) -> dict[str, int]:
    """The numbers that the groups have now, as far as there are so many groups in any grouping to come."""
    return {x: n for x, n in numbers_of(groupings, now).items() if n <= most}


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
    return {name: tuple(_cell(values.get(x)) for x in ids) for name, values in asked.columns.items()}


def _cell(value: str | float | None) -> str:
    return "" if value is None else str(value).strip()


def _asked_for(asked: GroupsIn, roster: Roster, out: set[str], history: tuple[Met, ...]) -> Spec:
    """The request's own size and rules as they stand there, all mistakes in them told at once."""
    told: list[dict[str, Any]] = [
        {**rule, "past": rule.get("past", _dicts(history))}
        if rule.get("verb") == "avoid_repeat" and "file" not in rule
        else rule
        for rule in asked.rules
    ]
    if any("file" in rule for rule in told):
        raise BadInput("a rule names a file, which only the command line can read; give the rows as past instead")
    return spec_of(
        {"size": 1 if asked.size is None else asked.size, "rules": told},
        also=lambda rule: mistakes_in(roster, _without(rule, out), words=_WORDS),
    )


def _without(rule: Rule, out: set[str]) -> Rule:
    return replace(rule, learners=tuple(x for x in rule.learners if x not in out))


def _own(asked_for: Spec, roster: Roster, out: set[str]) -> tuple[list[Line], list[str]]:
    """The request's own rules; those it names who are left out drop out of them."""
    kept = tuple(_without(rule, out) for rule in asked_for.rules)
    spec, notes = checked(roster, Spec(Size(1), kept), words=_WORDS)
    fewer = (rule for rule, now in zip(asked_for.rules, kept, strict=True) if len(now.learners) < len(rule.learners))
    notes += [f"{rule.name} names learners who are left out today" for rule in fewer]
    return [Line(rule, REQUEST, rule.index) for rule in spec.rules], notes


def _require_groups(lines: Sequence[Line], size: Size, n: int) -> None:
    """Raise BadInput where somebody must stay in a group of a number that there is not."""
    most = max((layout.n_groups for layout in layouts_of(size, n)), default=0)
    for line in lines:
        if line.rule.verb == "lock" and line.rule.hard and line.rule.group > most > 0:
            there = "there is only one group" if most == 1 else f"there are only {most} groups"
            raise BadInput(
                f"{_name(line, may_name=False)} names group {line.rule.group}, but {n} learners in groups of {size} "
                f"make fewer: {there}; name one of them"
            )


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


def _proposed(asked: GroupsIn, gathered: Gathered, plan: _Plan, *, may_name: bool) -> GroupsOut:
    """The work itself, beside the loop."""
    roster, spec = plan_of(asked.mode, plan.known, plan.size, numbered_in(plan.lines), plan.roster)
    spec = in_order(spec, roster)
    lines = [*plan.lines, *(Line(rule, MODE) for rule in spec.rules[len(plan.lines) :])]
    effort = Effort(seed=asked.seed, seconds=asked.seconds, n_proposals=asked.proposals)
    found = propose(roster, spec, effort, clock=time.perf_counter)
    if isinstance(found, Conflict):
        raise _conflicting(found, lines, plan, may_name=may_name)
    about = Telling(
        mode=asked.mode,
        known=plan.known,
        roster=roster,
        lines=lines,
        resources=[r for r in gathered.recommender.catalogue.resources if r is not None],
        title=gathered.crowd.title,
        may_name=may_name,
    )
    return GroupsOut(
        class_id=str(asked.class_id),
        mode=asked.mode,
        proposals=[proposal_out(one, about) for one in found.proposals],
        bound=round(found.bound, 6),
        proved_best=found.proved,
        seed=found.seed,
        left_out=plan.left_out,
        notes=[
            *plan.notes,
            *notes_for(asked.mode, roster),
            *notes_on_again(asked.mode, roster, spec, found),
            *notes_on(found),
        ],
    )


def _conflicting(found: Conflict, lines: Sequence[Line], plan: _Plan, *, may_name: bool) -> Conflicting:
    """What a teacher may give up; the rules' reasons stay with whoever wrote them."""
    own, n = [lines[index] for index in found.rules], len(plan.roster)
    of_size = plan.size_rule_ids if found.sized or not own else ()
    told: dict[str, list[int | str]] = {
        "rules": sorted(x.place for x in own if x.origin == REQUEST and x.place is not None),
        "rule_ids": sorted({*of_size, *(rule_id for x in own for rule_id in x.rule_ids)}) if may_name else [],
        "locked": sorted(x.place for x in own if x.origin == LOCKED and x.place is not None),
    }
    if not own:
        return Conflicting(f"no number of groups of this size has room for {n} learners; choose another size", told)
    names = ", ".join(dict.fromkeys(_name(x, may_name=may_name) for x in own))
    fewer = "" if found.proved else f", or fewer of them, {UNDECIDED}"
    rest = "change or suspend it" if len(own) == 1 else "give up any one of them" if found.proved else "give one up"
    size, another = _sized(plan, n) if found.sized else ("", "")
    return Conflicting(
        f"in this class of {n}{size} these hard rules cannot all hold: {names}{fewer}; {rest}{another}", told
    )


def _sized(plan: _Plan, n: int) -> tuple[str, str]:
    """The size as a cause, and what to do about it."""
    groups = fewest_groups(plan.size, n)
    many = "one group" if groups == 1 else f"{groups} groups" if plan.size.high is None else f"{groups} groups or more"
    rule = "change the rule about sizes" if plan.size_rule_ids else "choose another size"
    return f", in groups of {plan.size} (which makes {many}),", f", or {rule}"


def _name(line: Line, *, may_name: bool) -> str:
    if line.origin == REQUEST:
        return line.rule.name.replace(f"[{line.rule.index}]", f"[{line.place}]")
    if line.origin == LOCKED:
        return f"locked[{line.place}]"
    if not may_name:
        return "a rule of the school"
    return f"a rule of the school ({', '.join(line.rule_ids)}, {line.rule.verb})"
