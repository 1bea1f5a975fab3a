"""What would be different, had this been done and right, or an earlier answer not been given: each is recomputed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
from msgspec import structs

from engine.asked import Ask
from engine.domain.decision import Decision, Option, Said
from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.learner.evidence import day_of, time_of
from engine.learner.fold import caught_up, folded, place_of
from engine.learner.menu import Known, known_of
from engine.learner.model import LearnerModel
from engine.learner.state import LearnerState
from engine.learner.tracing import MASTERED
from engine.phrases import WHAT_IF
from engine.ranking.learning import Teaching
from engine.recommender import Recommender, recommend_each

# So many of the last answers are asked about.
_N_ANSWERS = 3
# A change of an estimate smaller than this is not worth a word.
_LEAST_CHANGE = 0.02
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

# What would be asked of these events instead, whose state is given.
Imagined = Callable[[Sequence[Interaction], LearnerState], Ask]


# How an answer is called, with what is known of it.
_Answer = dict[str, str]


@dataclass(frozen=True, slots=True)
class _Asking:
    """The ask as it stands, and how it would be asked of other events; nothing is left to fresh chance."""

    ask: Ask
    events: Sequence[Interaction]
    imagined: Imagined
    recommender: Recommender
    teaching: Teaching
    model: LearnerModel

    def slate(self, ask: Ask) -> list[str]:
        """What would be shown, best first, by the very recipe that decides."""
        chance = ask.request.explore and ask.request.seed is not None
        plain = ask if chance else replace(ask, request=replace(ask.request, explore=False))
        return [option.resource_id for option in recommend_each([plain], self.recommender)[0].slate]


def what_if_of(
    ask: Ask,
    events: Sequence[Interaction],
    decision: Decision,
    recommender: Recommender,
    *,
    imagined: Imagined,
) -> dict[str, tuple[Said, ...]]:
    """For each option what would be different, in sentences for the learner; none where nothing would.

    `ask` led to the `decision`, and `events` are all of the learner's; `imagined` is the same ask of other events.
    Every sentence speaks of the slate that would be answered then: so many options, under the same rules.
    """
    if recommender.teaching is None or recommender.learner is None or ask.state is None:
        return {}
    asking = _Asking(ask, events, imagined, recommender, recommender.teaching, recommender.learner)
    shown = [option.resource_id for option in decision.slate]
    # Where near-ties took turns, what an answer changes is told of what chance left in its place.
    base = asking.slate(ask) if ask.request.explore else shown
    without = _without_answers(asking)
    return {
        option.resource_id: (
            *_if_done(option, ask.state, asking, base),
            *(_if_not_been(option.resource_id, base, without, asking) if base[place : place + 1] == [x] else ()),
        )
        for place, (x, option) in enumerate(zip(shown, decision.slate, strict=True))
    }


def _if_done(option: Option, state: LearnerState, asking: _Asking, base: Sequence[str]) -> list[Said]:
    """What this option, done and right, would open, change and bring next; of what is never answered, only the last.

    `base` is what comes now.
    """
    recommender = asking.recommender
    row = recommender.catalogue.resource_map.row(option.resource_id)
    skills = asking.teaching.menu.skills_of(row)
    if not len(skills):
        return []
    answerable = bool(asking.teaching.menu.answerable[row])
    done = _done(option.resource_id, state, asking.ask.now, answered=answerable)
    events = [*asking.events, done]
    after = caught_up(state, [done], lambda: events, model=asking.model, offer=recommender.offer)
    told = _opened(skills, state, after, asking) if answerable else []
    following = asking.slate(asking.imagined(events, after))[:1]
    if following and following != [option.resource_id] and following != list(base[:1]):
        title = recommender.catalogue.title(recommender.catalogue.resource_map.row(following[0]))
        told.append(_said("next" if answerable else "done", title=title, resource_id=following[0]))
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
) -> list[Said]:
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
        ids = tuple(menu.skills[k] for k in opened[:2])
        return [_said("opens", skills=" and ".join(_title(x, asking) for x in ids), skill_ids=ids)]
    now, then = before.mastery, later.mastery
    change = then[skills] - now[skills]
    best = int(np.argmax(np.abs(change)))
    if abs(float(change[best])) < _LEAST_CHANGE:
        return []
    k = int(skills[best])
    title, skill_id = _title(menu.skills[k], asking), menu.skills[k]
    return [_said("moves", skill=title, skill_id=skill_id, now=float(now[k]), then=float(then[k]))]


def _known(state: LearnerState, skills: "np.ndarray[tuple[int], np.dtype[np.int64]]", asking: _Asking) -> Known:
    return known_of(
        asking.teaching.menu, np.empty(0, np.int64), skills,
        state=state, model=asking.teaching.model, now_us=asking.ask.query.minute_us,
    )  # fmt: skip


def _without_answers(asking: _Asking) -> list[tuple[_Answer, list[str]]]:
    """For each of the last answers what it is, and what would be shown had it not been given."""
    recommender, events = asking.recommender, asking.events
    voided = {e.voids for e in events if e.kind == "voided"}
    answers = sorted((e for e in events if e.outcome is not None and e.event_id not in voided), key=place_of)
    found = []
    for nth in range(len(answers) - 1, max(len(answers) - 1 - _N_ANSWERS, -1), -1):
        called = _called(answers, nth, asking)
        if called is None:
            continue
        left = [e for e in events if e.event_id != answers[nth].event_id]
        state = folded(left, asking.model, recommender.offer)
        found.append((called, asking.slate(asking.imagined(left, state))))
    return found


def _called(answers: Sequence[Interaction], nth: int, asking: _Asking) -> _Answer | None:
    """An answer by its resource and day; None where words would not say which of several is meant."""
    answer, title = answers[nth], _resource_title(answers[nth], asking)
    if title is None:
        return None
    alike = [n for n, e in enumerate(answers) if _day(e) == _day(answer) and _resource_title(e, asking) == title]
    if nth != alike[-1]:
        return None
    whose = "your answer" if len(alike) == 1 else "your last answer"
    facts = {"answer_id": answer.event_id, "title": title, "resource_id": answer.resource_id or ""}
    if answer.at is None:
        return {"answer": f"{whose} on “{title}”", **facts}
    at_us = microseconds(answer.at)
    said = f"{whose} on “{title}” {day_of(at_us, asking.ask.query.now_us)}"
    return {"answer": said, **facts, "answered_at": time_of(at_us)}


def _resource_title(answer: Interaction, asking: _Asking) -> str | None:
    """What the resource answered is called; None where nothing on offer ever was."""
    row = asking.recommender.catalogue.resource_map.row(answer.resource_id or "")
    return asking.recommender.catalogue.title(row) if row >= 0 else None


def _day(answer: Interaction) -> date | None:
    return None if answer.at is None else answer.at.astimezone(UTC).date()


def _if_not_been(
    resource_id: str, base: Sequence[str], without: Sequence[tuple[_Answer, Sequence[str]]], asking: _Asking
) -> list[Said]:
    """The answer without which this would stand elsewhere, the one that matters most."""
    k, rank = asking.ask.request.k, base.index(resource_id) + 1
    ranks = [(called, slate.index(resource_id) + 1 if resource_id in slate else k + 1) for called, slate in without]
    answer, then = max(ranks, key=lambda one: abs(one[1] - rank), default=({}, rank))
    if then == rank:
        return []
    if then > k:
        return [_said("gone", **answer, n=k)]
    place = _ORDINALS[then - 1] if then <= 10 else f"number {then}"
    return [_said("moved", **answer, place=place, rank=then)]


def _said(code: str, **facts: str | float | tuple[str, ...]) -> Said:
    return Said(code=code, text=WHAT_IF[code].format(**facts), facts=facts)


def _title(skill_id: str, asking: _Asking) -> str:
    return asking.recommender.titles.get(skill_id, skill_id)
