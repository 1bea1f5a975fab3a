"""What would be different, had this been done and right, or an earlier answer not been given: each is recomputed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from msgspec import structs

from engine.domain.decision import Decision, Option, Request
from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.domain.query import Query
from engine.last_stage import Rules
from engine.learner.evidence import day_of
from engine.learner.fold import caught_up, folded, place_of
from engine.learner.menu import Known, known_of
from engine.learner.state import LearnerState
from engine.learner.tracing import MASTERED
from engine.phrases import WHAT_IF
from engine.ranking.learning import Teaching
from engine.recommender import Recommender, recommend

# So many of the last answers are asked about, and so far down a rank is told.
_N_ANSWERS, _DEEP = 3, 20
# A change of an estimate smaller than this is not worth a word.
_LEAST_CHANGE = 0.02
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True, slots=True)
class _Asking:
    """The request as it stands, asked again without chance."""

    request: Request
    query: Query
    recommender: Recommender
    teaching: Teaching
    now: datetime
    rules: Rules | None

    def ranks(self, state: LearnerState, query: Query | None = None) -> dict[str, int]:
        """The rank of what would be shown to this state."""
        decision = recommend(
            self.request,
            query or self.query,
            self.recommender,
            decision_id="",
            now=self.now,
            state=state,
            rules=self.rules,
        )
        return {option.resource_id: option.rank for option in decision.slate}


def what_if_of(
    request: Request,
    query: Query,
    state: LearnerState,
    events: Sequence[Interaction],
    decision: Decision,
    recommender: Recommender,
    *,
    now: datetime,
    rules: Rules | None = None,
) -> dict[str, tuple[str, ...]]:
    """For each option what would be different, in sentences for the learner; none where nothing would.

    `events` are all of the learner's. Every sentence is the result of the same recipe with one event more or less,
    under the same `rules`.
    """
    if recommender.teaching is None or recommender.learner is None:
        return {}
    plain = replace(request, k=max(request.k, _DEEP), explore=False)
    asking = _Asking(plain, query, recommender, recommender.teaching, now, rules)
    base = asking.ranks(state)
    without = _without_answers(events, asking)
    return {
        option.resource_id: (
            *_if_done(option, state, events, asking),
            *_if_not_been(option.resource_id, base, without),
        )
        for option in decision.slate
    }


def _if_done(option: Option, state: LearnerState, events: Sequence[Interaction], asking: _Asking) -> list[str]:
    """What this option, done and right, would open, change and bring next; of what is never answered, only the last."""
    recommender = asking.recommender
    assert recommender.learner is not None
    row = recommender.catalogue.resource_map.row(option.resource_id)
    skills = asking.teaching.menu.skills_of(row)
    if not len(skills):
        return []
    answerable = bool(asking.teaching.menu.answerable[row])
    done = _done(option.resource_id, state, asking.now, answered=answerable)
    after = caught_up(state, [done], lambda: [*events, done], model=recommender.learner, offer=recommender.offer)
    told = _opened(skills, state, after, asking) if answerable else []
    seen = replace(asking.query.history, resource_index=np.append(asking.query.history.resource_index, np.int32(row)),
                   at_us=np.append(asking.query.history.at_us, asking.query.now_us))  # fmt: skip
    following = asking.ranks(after, replace(asking.query, history=seen))
    first = min(following, key=lambda x: following[x], default=None)
    if first is not None and first != option.resource_id:
        title = recommender.catalogue.title(recommender.catalogue.resource_map.row(first))
        told.append(WHAT_IF["next" if answerable else "done"].format(title=title))
    return told


def _done(resource_id: str, state: LearnerState, now: datetime, *, answered: bool) -> Interaction:
    """What is imagined, after everything that is known: a right answer, or having gone through it."""
    event = Interaction(
        event_id="\uffff what if",
        learner_id="",
        kind="attempted" if answered else "completed",
        source="what_if",
        resource_id=resource_id,
        at=now,
        outcome=1.0 if answered else None,
    )
    late = state.last[0] - microseconds(now)
    if place_of(event) > state.last:
        return event
    return structs.replace(event, at=now + timedelta(microseconds=max(late, 0) + 1))


def _opened(
    skills: "np.ndarray[tuple[int], np.dtype[np.int64]]", state: LearnerState, after: LearnerState, asking: _Asking
) -> list[str]:
    """Skills that would be ready then and are not now; where there is none, how the estimate would move."""
    menu = asking.teaching.menu
    waiting = [k for k in range(len(menu.skills)) if set(menu.needed_by(k).tolist()) & set(skills.tolist())]
    needed = [q for k in waiting for q in menu.needed_by(k).tolist()]
    asked = np.unique(np.array([*skills.tolist(), *waiting, *needed], np.int64))
    before, later = (_known(one, asked, asking) for one in (state, after))
    now, then = before.known, later.known
    opened = [
        k
        for k in waiting
        if (then[menu.needed_by(k)] >= MASTERED).all()
        and (now[menu.needed_by(k)] < MASTERED).any()
        and now[k] < MASTERED
    ]
    if opened:
        names = " and ".join(_title(menu.skills[k], asking) for k in opened[:2])
        return [WHAT_IF["opens"].format(skills=names)]
    now, then = before.mastery, later.mastery
    change = then[skills] - now[skills]
    best = int(np.argmax(np.abs(change)))
    if abs(float(change[best])) < _LEAST_CHANGE:
        return []
    k = int(skills[best])
    return [WHAT_IF["moves"].format(skill=_title(menu.skills[k], asking), now=float(now[k]), then=float(then[k]))]


def _known(state: LearnerState, skills: "np.ndarray[tuple[int], np.dtype[np.int64]]", asking: _Asking) -> Known:
    return known_of(
        asking.teaching.menu, np.empty(0, np.int64), skills,
        state=state, model=asking.teaching.model, now_us=asking.query.now_us,
    )  # fmt: skip


def _without_answers(events: Sequence[Interaction], asking: _Asking) -> list[tuple[str, dict[str, int]]]:
    """For each of the last answers how it is called, and the ranks had it not been given."""
    recommender = asking.recommender
    assert recommender.learner is not None
    voided = {e.voids for e in events if e.kind == "voided"}
    answers = sorted((e for e in events if e.outcome is not None and e.event_id not in voided), key=place_of)
    found = []
    for answer in reversed(answers[-_N_ANSWERS:]):
        left = [e for e in events if e.event_id != answer.event_id]
        ranks = asking.ranks(folded(left, recommender.learner, recommender.offer))
        found.append((_called(answer, asking), ranks))
    return found


def _called(answer: Interaction, asking: _Asking) -> str:
    row = asking.recommender.catalogue.resource_map.row(answer.resource_id or "")
    title = asking.recommender.catalogue.title(row) if row >= 0 else "another resource"
    if answer.at is None:
        return f"your answer on “{title}”"
    return f"your answer on “{title}” {day_of(microseconds(answer.at), asking.query.now_us)}"


def _if_not_been(
    resource_id: str, base: Mapping[str, int], without: Sequence[tuple[str, Mapping[str, int]]]
) -> list[str]:
    """The answer without which this would stand elsewhere, the one that matters most."""
    if resource_id not in base:
        return []
    moved = [(abs(ranks.get(resource_id, _DEEP + 1) - base[resource_id]), called, ranks) for called, ranks in without]
    most = max(moved, key=lambda m: m[0], default=None)
    if most is None or most[0] == 0:
        return []
    rank = most[2].get(resource_id)
    if rank is None:
        return [WHAT_IF["gone"].format(answer=most[1], n=_DEEP)]
    return [
        WHAT_IF["moved"].format(
            answer=most[1], place=_ORDINALS[rank - 1] if rank <= len(_ORDINALS) else f"number {rank}"
        )
    ]


def _title(skill_id: str, asking: _Asking) -> str:
    return asking.recommender.titles.get(skill_id, skill_id)
