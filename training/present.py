"""The present of each cohort: the moment its votes are old or new against."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME
from engine.ranking.popularity import DAY_US
from training.votes import Votes


@dataclass(frozen=True, slots=True)
class Present:
    """`cohort`: `(n_votes,)`, 0 without one. `days`: `(n_votes,)` before the cohort's last touch, 0 without a clock.

    `aligned`: the same before the present of the course, where an earlier cohort stands at the day of the course that
    its youngest has reached; negative where that still lay ahead of the vote's learner.
    """

    cohort: NDArray[np.int64]
    cohort_course: NDArray[np.int32]
    cohort_starts_us: NDArray[np.int64]
    last_us: NDArray[np.int64]
    days: NDArray[np.float64]
    aligned: NDArray[np.float64]

    def touch_days(self, votes: Votes) -> NDArray[np.float64]:
        """Days of each touch before the last one of its cohort: `(n_touches,)`."""
        result: NDArray[np.float64] = (self.last_us[self.cohort[votes.touch_vote]] - votes.touch_at_us) / DAY_US
        return result


def present_of(votes: Votes) -> Present:
    """Cohorts are the classes of one course with one start; cohort 0 is everyone without a course."""
    course_of, starts_of = votes.class_course.astype(np.int64), votes.class_starts_us
    pairs = sorted({(int(c), int(s)) for c, s in zip(course_of, starts_of, strict=True) if c > 0})
    row = {pair: j + 1 for j, pair in enumerate(pairs)}
    of_class = np.array([row.get((int(c), int(s)), 0) for c, s in zip(course_of, starts_of, strict=True)])
    cohort = of_class[votes.school_class]
    courses = np.array([0, *[c for c, _ in pairs]], np.int32)
    starts_us = np.array([NO_TIME, *[s for _, s in pairs]], np.int64)
    if not votes.timed:
        nothing = np.zeros(len(votes))
        return Present(cohort, courses, starts_us, np.zeros(len(courses), np.int64), nothing, nothing)
    last_us = np.full(len(courses), int(votes.at_us.min()))
    np.maximum.at(last_us, cohort, votes.at_us)
    if len(votes.touch_vote):
        np.maximum.at(last_us, cohort[votes.touch_vote], votes.touch_at_us)
    stands_us = _stands(courses, starts_us, last_us)
    days = (last_us[cohort] - votes.at_us) / DAY_US
    return Present(cohort, courses, starts_us, last_us, days, (stands_us[cohort] - votes.at_us) / DAY_US)


def _stands(courses: NDArray[np.int32], starts_us: NDArray[np.int64], last_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """The moment of each cohort at which it had reached the day that the youngest of its course has reached."""
    stands = last_us.copy()
    for course in np.unique(courses[1:]):
        mine = np.flatnonzero((courses == course) & (starts_us != NO_TIME))
        if len(mine) > 1:
            young = mine[np.argmax(starts_us[mine])]
            stands[mine] = starts_us[mine] + (last_us[young] - starts_us[young])
    return stands
