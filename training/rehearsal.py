"""Rehearse a new cohort: a class asks early in its course while an earlier cohort has already been through it.

The weights for that moment cannot be learned from the end of the log, where new classes have hardly begun and old ones
have nobody ahead of them. So a finished class plays the new cohort. Where the course has an older class, that one is
ahead of it, as it really was; where not, a random half of the class plays last year's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME
from engine.domain.id_map import IdMap
from engine.ranking.popularity import DAY_US
from training.slices import HORIZON_DAYS, Slice
from training.votes import Votes

YEAR_US = int(364 * DAY_US)
# Asked late in the day: many logs tell only the day, and what was done on it is known by then.
LATE = 0.95


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Votes as they stood when the new cohort asked, and the slice they must foretell."""

    votes: Votes
    cut: Slice


def rehearsals_of(votes: Votes, *, seed: int) -> Iterator[Rehearsal]:
    """One rehearsal at the age the next cohorts will ask at, and one a horizon later; none without cohorts."""
    roles = _roles(votes)
    if not roles:
        return
    staged, actors = votes, {}
    for course, (actor, split) in roles.items():
        if split:
            staged, actor = _split(staged, actor, seed)
        actors[course] = actor
    age_us = _asking_ages(votes, {course: actor for course, (actor, _) in roles.items()})
    for later in (0.0, HORIZON_DAYS):
        now_us = np.full(len(staged.class_ids), NO_TIME)
        for course, actor in actors.items():
            now_us[actor] = staged.class_starts_us[actor] + age_us[course] + int(later * DAY_US)
        asking = now_us[staged.school_class]
        acts = asking != NO_TIME
        after = acts & (staged.at_us > asking)
        held_out = after & (staged.at_us <= asking + int(HORIZON_DAYS * DAY_US))
        if held_out.any():
            yield Rehearsal(staged, Slice(~after, held_out, now_us))


def _roles(votes: Votes) -> dict[int, tuple[int, bool]]:
    """For each course with several cohorts: the class that plays the new one, and whether it must be split in two."""
    last_day = _last_day(votes)
    roles = {}
    for course in np.unique(votes.class_course[1:]):
        classes = np.flatnonzero((votes.class_course == course) & (votes.class_starts_us != NO_TIME))
        classes = classes[np.argsort(votes.class_starts_us[classes], kind="stable")]
        if len(np.unique(votes.class_starts_us[classes])) < 2:
            continue
        through = [c for c in classes if last_day[c] >= 2 * HORIZON_DAYS]
        seasoned = [c for c in through if votes.class_starts_us[c] > votes.class_starts_us[classes[0]]]
        if seasoned:
            roles[int(course)] = (int(seasoned[-1]), False)
        elif through:
            roles[int(course)] = (int(through[0]), True)
    return roles


def _last_day(votes: Votes) -> NDArray[np.float64]:
    """The day of the course of the last vote of each class: `(n_classes,)`."""
    last = np.full(len(votes.class_ids), -np.inf)
    starts_us = votes.class_starts_us[votes.school_class]
    dated = starts_us != NO_TIME
    np.maximum.at(last, votes.school_class[dated], (votes.at_us[dated] - starts_us[dated]) / DAY_US)
    return last


def _asking_ages(votes: Votes, actors: Mapping[int, int]) -> dict[int, int]:
    """At which age, in microseconds, the actor of each course asks.

    The age of the youngest class at the end of the log, for that is the class that will ask next. Where the actor is
    that class, the next one is yet to come, and a quarter of the course stands for it.
    """
    last_day = _last_day(votes)
    ages = {}
    for course, actor in actors.items():
        classes = np.flatnonzero((votes.class_course == course) & (votes.class_starts_us != NO_TIME))
        youngest = classes[np.argmax(votes.class_starts_us[classes])]
        age = last_day[actor] / 4 if youngest == actor else last_day[youngest]
        ages[course] = int((np.floor(np.clip(age, 1.0, last_day[actor] - HORIZON_DAYS)) + LATE) * DAY_US)
    return ages


def _split(votes: Votes, actor: int, seed: int) -> tuple[Votes, int]:
    """Half of a class becomes a new class that did the same a year later; the row of that new class."""
    theirs = np.unique(votes.learner[votes.school_class == actor])
    chosen = np.random.default_rng(seed + actor).random(len(theirs)) < 0.5
    moved = (votes.school_class == actor) & np.isin(votes.learner, theirs[chosen])
    row = len(votes.class_ids)
    staged = replace(
        votes,
        class_ids=IdMap([*votes.class_ids, f"{votes.class_ids.ids[actor]} rehearsed {row}"]),
        class_course=np.append(votes.class_course, votes.class_course[actor]),
        class_starts_us=np.append(votes.class_starts_us, votes.class_starts_us[actor] + YEAR_US),
        school_class=np.where(moved, row, votes.school_class).astype(np.int32),
        at_us=np.where(moved, votes.at_us + YEAR_US, votes.at_us),
        touch_at_us=np.where(moved[votes.touch_vote], votes.touch_at_us + YEAR_US, votes.touch_at_us),
    )
    return staged, row
