"""A plan to a goal through the graph of skills: what comes next, how long it takes, what a check could skip."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from engine.domain.decision import Request
from engine.domain.history import History
from engine.domain.interaction import Interaction
from engine.domain.query import Query
from engine.learner.menu import Known, Menu, known_of, usual_time
from engine.learner.pace_line import pace_line, week_minutes
from engine.learner.preferences import Goal
from engine.learner.state import LearnerState
from engine.learner.tracing import MASTERED
from engine.learner.voices import DAY_US, standing
from engine.learner.weeks import USUAL_WEEK_MINUTES, days_of
from engine.ranking.candidates import candidates_of
from engine.ranking.learning import Teaching
from engine.ranking.way import Shelf, shelf_of, way_through
from engine.ranking.worth import Worth, worth_of
from engine.recommender import Recommender

STATUSES = ("next", "ready", "within_reach", "waiting")
# Known as surely as this, a short check may show that a skill can be skipped.
CHECKABLE = 0.7
# What wins so much of what it would win if nothing were missing may be tried before.
_WITHIN_REACH = 0.5
# So many resources are named for each skill.
_NAMED = 3
_EPOCH = date(1970, 1, 1)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStep:
    """One skill on the way. `status`: the `next` one, others that are `ready` too, or `waiting` for `waits_for`.

    `within_reach` is what waits by the graph, and on which a step now is expected to win at least half of what it would
    then, by the learner's own answers or by what the log shows of such steps: a slate may begin with it.

    `mastery` is the chance of success on its usual items, `known` that it is known, by which it counts as mastered.
    `steps` and `minutes` are expected until then, `minutes_so_far` with everything before it on the path. `resources`
    are the best for it now, best first; `can_be_checked` says that a short check may let it be skipped.
    """

    skill_id: str
    title: str
    status: str
    mastery: float
    known: float
    waits_for: tuple[str, ...]
    is_goal: bool
    can_be_checked: bool
    steps: float
    minutes: float
    minutes_so_far: float
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The plan: steps in order, skills of the way that are mastered already, and the pace line to the goal's date.

    `remaining` are the skills of the goal itself that are not mastered; where none is, there is nothing to do, no day.
    `minutes` are expected for all steps, what they wait for among them; `minutes_p90` suffice in nine cases of ten.
    Days are ISO dates by whose end the goal is reached, None where not within a hundred years or where nothing remains;
    `on_track` is minutes there will be before the date for each minute needed, None without a date.
    """

    goal: tuple[str, ...]
    by: str | None
    steps: tuple[PathStep, ...]
    mastered: tuple[str, ...]
    remaining: tuple[str, ...]
    minutes: float
    minutes_p90: float
    minutes_a_week: float
    finish_p50: str | None
    finish_p90: str | None
    on_track: float | None


def path_of(
    goal: Goal,
    state: LearnerState,
    events: Iterable[Interaction],
    recommender: Recommender,
    *,
    query: Query,
    choose: str | None = None,
) -> Path:
    """The path of a learner to a goal, planned afresh from their state; `events` tell of past weeks.

    `query` says who asks and when: what does not meet their access needs or is in no language of theirs is not named.
    The next step is the skill that is worth most per minute now (`engine.ranking.worth`); of the others none stands
    before what it waits for. `choose` names a skill that is ready and is to come first: the plan follows. Where none is
    named, what the learner said yes to last and has not worked on yet does the same, of those that are ready.
    """
    teaching = recommender.teaching
    assert teaching is not None, "a path needs a bundle"
    menu = teaching.menu
    aims = np.array(sorted({menu.number[s] for s in goal.skills if s in menu.number}), np.int64)
    way = np.array(menu.closure(aims.tolist()), np.int64)
    known, worth = _looked_at(way, aims, teaching, recommender, state, query)
    shelf = shelf_of(menu, known, teaching.gains)
    waits = _waiting(aims, known, menu)
    chosen = _accepted(state, recommender, query.now_us) if choose is None else [menu.number.get(choose, -1)]
    wins = teaching.gains.unready + (1.0 - teaching.gains.unready) * worth.readiness
    reach = frozenset(k for k in waits if wins[k] >= _WITHIN_REACH)
    order = _ordered(waits, known, worth, menu, chosen=[k for k in chosen if k in reach or not waits.get(k, True)])
    usual, sd = usual_time(menu, np.array(order, np.int64), state=state, model=teaching.model, now_us=query.minute_us)
    steps = _steps([(k, waits[k], k in reach) for k in order], known, shelf, recommender, aims, usual)
    return _timed(goal, steps, sd, [menu.skills[k] for k in way if known.known[k] >= MASTERED], events, query.now_us)


def ready_skills(path: Path) -> tuple[str, ...]:
    """What a learner may choose to do next."""
    return tuple(s.skill_id for s in path.steps if s.status != "waiting")


def _looked_at(
    way: Ints, aims: Ints, teaching: Teaching, recommender: Recommender, state: LearnerState, query: Query
) -> tuple[Known, Worth]:
    """What the state says of everything on offer to this learner for the skills of the way, done before or not."""
    menu = teaching.menu
    anything = replace(query, history=History.empty())
    rows = np.flatnonzero(candidates_of(Request(learner_id=""), anything, recommender.catalogue))
    place, skill = menu.pairs(rows)
    rows = rows[np.unique(place[np.isin(skill, way)])]
    asked = np.array(menu.closure([*way.tolist(), *menu.pairs(rows)[1].tolist()]), np.int64)
    known = known_of(menu, rows, asked, state=state, model=teaching.model, now_us=query.minute_us)
    return known, worth_of(menu, known, teaching.gains, aims)


def _accepted(state: LearnerState, recommender: Recommender, now_us: int) -> list[int]:
    """The skills of what the learner said yes to and has not worked on yet, the last word first."""
    assert recommender.teaching is not None, "a path needs a bundle"
    menu, row_of_key = recommender.teaching.menu, recommender.teaching.row_of_key
    yes = [word.key for word in reversed(standing(state.spoken, now_us)) if word.kind == "accepted"]
    return [k for key in yes if key in row_of_key for k in menu.skills_of(row_of_key[key]).tolist()]


def _waiting(aims: Ints, known: Known, menu: Menu) -> dict[int, frozenset[int]]:
    """The skills that are left, each with those of them that it waits for.

    What only leads to a skill of the goal that is mastered is not needed any more.
    """
    needed = menu.closure([int(k) for k in aims if known.known[k] < MASTERED])
    left = frozenset(k for k in needed if known.known[k] < MASTERED)
    return {k: left.intersection(menu.needed_by(k).tolist()) for k in sorted(left)}


def _ordered(
    waits: Mapping[int, frozenset[int]], known: Known, worth: Worth, menu: Menu, *, chosen: Sequence[int]
) -> list[int]:
    """The skills left in an order in which none stands before what it waits for, the most worthwhile first.

    The first of the `chosen`, which are ready or within reach, begins.
    """
    rate = np.zeros(len(menu.skills))
    minutes = np.maximum(known.takes.with_those(worth.place)[worth.place], 0.25)
    np.maximum.at(rate, worth.skill, worth.gain * worth.value[worth.skill] / minutes)
    order = list(chosen[:1])
    waiting = {k: needs for k, needs in waits.items() if k not in order}
    while waiting:
        free = [k for k, needs in waiting.items() if not needs - set(order)]
        order.append(min(free, key=lambda k: (-rate[k], menu.skills[k])))
        del waiting[order[-1]]
    return order


def _steps(
    order: Sequence[tuple[int, frozenset[int], bool]],
    known: Known,
    shelf: Shelf,
    recommender: Recommender,
    aims: Ints,
    usual_minutes: Floats,
) -> tuple[PathStep, ...]:
    """The steps in `order`: each skill, what it waits for, and whether it is within reach all the same."""
    assert recommender.teaching is not None, "a path needs a bundle"
    menu, so_far = recommender.teaching.menu, 0.0
    found: list[PathStep] = []
    for (k, needs, reached), usual in zip(order, usual_minutes.tolist(), strict=True):
        through = way_through(k, shelf, usual)
        minutes = through.steps * through.minutes
        so_far += minutes
        early = "within_reach" if reached else "waiting"
        found.append(
            PathStep(
                skill_id=menu.skills[k],
                title=recommender.titles.get(menu.skills[k], menu.skills[k]),
                status="next" if not found else early if needs else "ready",
                mastery=float(known.mastery[k]),
                known=float(known.known[k]),
                waits_for=tuple(menu.skills[q] for q in sorted(needs)),
                is_goal=k in aims,
                can_be_checked=bool(known.known[k] >= CHECKABLE) and len(menu.answering(k)) > 0,
                steps=through.steps,
                minutes=minutes,
                minutes_so_far=so_far,
                resources=tuple(recommender.catalogue.resource_map.ids[row] for row in through.rows[:_NAMED]),
            )
        )
    return tuple(found)


def _timed(
    goal: Goal,
    steps: tuple[PathStep, ...],
    sd: Floats,
    mastered: list[str],
    events: Iterable[Interaction],
    now_us: int,
) -> Path:
    """The path on the calendar."""
    today = now_us // DAY_US
    days, minutes = days_of(events)
    week = week_minutes(days, minutes, today, prior=USUAL_WEEK_MINUTES, floor=goal.floor, ceiling=goal.ceiling)
    each = np.array([max(s.minutes / max(s.steps, 1e-9), 1e-3) for s in steps])
    line = pace_line(
        np.array([s.steps for s in steps]),
        np.log(each) - sd**2 / 2,
        sd,
        week=week,
        today=today,
        goal_day=(date.fromisoformat(goal.by) - _EPOCH).days if goal.by else None,
    )
    return Path(
        goal=goal.skills,
        by=goal.by,
        steps=steps,
        mastered=tuple(mastered),
        remaining=tuple(s for s in goal.skills if s not in mastered),
        minutes=line.minutes_needed,
        minutes_p90=line.minutes_needed_p90,
        minutes_a_week=week.mean,
        finish_p50=_day(line.finish_day_p50) if steps else None,
        finish_p90=_day(line.finish_day_p90) if steps else None,
        on_track=line.on_track,
    )


def _day(number: int | None) -> str | None:
    return None if number is None else date.fromordinal(_EPOCH.toordinal() + number).isoformat()
