"""Proposals for a class as they are told to its teacher."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.collaborators.counts import Count
from engine.collaborators.modes import Known
from engine.collaborators.proposals import Proposal
from engine.collaborators.purpose import Title, purpose_of
from engine.collaborators.roster import Roster
from engine.collaborators.tasks import ready_skills, tasks_of
from engine.collaborators.teachers import RULE, Line
from engine.domain.resource import Resource
from serving.collaborating import task_out
from serving.schemas_together import GroupOut, GroupRuleOut, ProposalOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What proposals are told with: the roster has the columns of the mode, `lines` are the rules in their order.

    `may_name`: the key may look at the school's own rules.
    """

    mode: str
    known: Known
    roster: Roster
    lines: Sequence[Line]
    resources: Sequence[Resource]
    title: Title
    may_name: bool


def proposal_out(one: Proposal, about: Telling) -> ProposalOut:
    """One proposal: who is with whom and for what, a task for each group, and how each rule fares."""
    n, known = one.layout.n_groups, about.known
    members = [np.flatnonzero(one.groups == g).tolist() for g in range(n)]
    purposes = [purpose_of(about.mode, about.roster, ours, about.title) for ours in members]
    skills = [
        _first(ready_skills(known, ours), purpose.in_common) for ours, purpose in zip(members, purposes, strict=True)
    ]
    tasks = tasks_of(known, one.groups, n, about.resources, skills=skills)
    by_id = {r.resource_id: r for r in about.resources}
    return ProposalOut(
        grouping_id=uuid.uuid4().hex,
        groups=[
            GroupOut(
                group=g + 1,
                learner_ids=tuple(known.learner_ids[i] for i in members[g]),
                skills=skills[g],
                task=task_out(tasks[g], by_id),
                in_common=purposes[g].in_common,
                text_teacher=purposes[g].text_teacher,
                experts=purposes[g].experts,
            )
            for g in range(n)
        ],
        # Who is kept apart from whom would be read off a rule of the school, and off where it is broken.
        rules=[
            _rule_out(c, about.lines) for c in one.counts if about.may_name or about.lines[c.rule.index].origin != RULE
        ],
        objective=round(one.objective, 6),
        broken=round(one.broken, 6),
    )


def _first(skills: tuple[str, ...], in_common: str | None) -> tuple[str, ...]:
    """The skills, the one in common first where it is among them; an interest may be in a skill."""
    name = (in_common or "").removeprefix("goal:")
    return tuple(sorted(skills, key=lambda skill: skill != name))


def _rule_out(count: Count, lines: Sequence[Line]) -> GroupRuleOut:
    line, rule = lines[count.rule.index], count.rule
    return GroupRuleOut(
        origin=line.origin,
        index=line.place,
        rule_ids=line.rule_ids,
        verb=rule.verb,
        learners=rule.learners,
        strength="hard" if rule.hard else "soft",
        weight=float(f"{rule.weight:.4g}"),
        broken=int(count.broken),
        of=int(count.of),
        by_group=tuple(int(x) for x in count.by_group),
    )
