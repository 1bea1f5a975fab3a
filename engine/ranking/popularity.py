"""What others took up: ever, lately, and around this day of the course."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME
from engine.domain.id_map import IdMap
from engine.domain.query import Query

DAY_US = 86_400_000_000
HOUR_US = DAY_US // 24
# Added to every count before the logarithm: a resource nobody touched is unlikely, not impossible. Terms are counted
# from there, so that no vote at all is 0 and every vote speaks for a resource.
PRIOR_VOTES = 0.1
_KEPT_ANSWERS = 256
# What a cohort took up within so many days is told as what comes soon.
DAYS_AHEAD = 28
# The share of those still without a resource who take it up soon: so many more are counted as still without it, that
# two or three learners are no certainty, and shares count from this one on.
DOUBTERS, SHARE_FLOOR = 5.0, 0.01


class Popularity:
    """Logarithms of votes in the learner's course; a vote is a learner's first engagement with a resource.

    `votes`: `(n_entries, 1 + n_half_lives)`; entries of course `c` are `course_starts[c]:course_starts[c + 1]`, each
    for one resource; column 0 counts all votes, the others decay with age by the half-lives in `half_lives_days`.
    Row 0 of the courses is everyone together; it answers where the learner's course is unknown.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], courses: IdMap, n_resources: int) -> None:
        self._starts = arrays["course_starts"]
        self._resources = arrays["course_resource"]
        self._votes = arrays["course_votes"]
        self._courses = courses
        self._n = n_resources
        self._kept: dict[int, NDArray[np.float64]] = {}

    @property
    def n_resources(self) -> int:
        """How many resources the bundle knows."""
        return self._n

    @property
    def n_terms(self) -> int:
        """All votes, and one term per half-life."""
        return int(self._votes.shape[1])

    def score(self, query: Query) -> NDArray[np.float64]:
        """Log votes by column: `(n_columns, n_resources)`."""
        return self._of_course(self.course(query))

    def course(self, query: Query) -> int:
        """The row of the learner's course, 0 for everyone together."""
        return max(self._courses.row(query.course_id) if query.course_id else -1, 0)

    def ever(self, query: Query) -> NDArray[np.float64]:
        """Logarithm of all votes of the course: `(n_resources,)`; `votes_of` counts them."""
        votes: NDArray[np.float64] = self.score(query)[0]
        return votes

    def _of_course(self, course: int) -> NDArray[np.float64]:
        if course not in self._kept:
            entries = slice(self._starts[course], self._starts[course + 1])
            votes = np.zeros((self._votes.shape[1], self._n))
            votes[:, self._resources[entries]] = self._votes[entries].T
            self._kept[course] = np.log1p(votes / PRIOR_VOTES)
        return self._kept[course]


def votes_of(term: float) -> float:
    """How many votes a term of `Popularity` counts."""
    return float(round(math.expm1(term) * PRIOR_VOTES))


@dataclass(frozen=True, slots=True)
class HalfLives:
    """How fast days away from today fade: for votes ahead and behind, and for shares due."""

    around: tuple[float, ...]
    due: tuple[float, ...]

    @property
    def n_terms(self) -> int:
        """How many terms `CourseDay` gives."""
        return 2 * len(self.around) + len(self.due)


class CourseDay:
    """What earlier cohorts of the same course first took up around this day of the course.

    Cohort `j` belongs to course `cohort_course[j]`, began at `cohort_starts_us[j]` and had `cohort_learners[j]`; its
    votes are the entries `cohort_entries[j]:cohort_entries[j + 1]` of `day_resource`, `day_of_course`, `day_votes`.
    """

    def __init__(
        self, arrays: Mapping[str, NDArray[Any]], courses: IdMap, n_resources: int, half_lives: "HalfLives"
    ) -> None:
        self._arrays = arrays
        self._courses = courses
        self._n = n_resources
        self._half_lives = half_lives
        self._kept: dict[tuple[int, int, int, int], NDArray[np.float64] | None] = {}
        self._to_come: dict[tuple[int, int, int], NDArray[np.float64]] = {}

    @property
    def n_terms(self) -> int:
        """Ahead and behind for each half-life, and the shares due."""
        return self._half_lives.n_terms

    def score(self, query: Query) -> NDArray[np.float64] | None:
        """Log votes ahead, then behind, then log shares due: `(n_terms, n_resources)`; None without earlier cohorts.

        A share is that of the learners who had not taken the resource up by this day: whoever asks has not either.
        """
        if query.starts_us == NO_TIME or query.now_us == NO_TIME:
            return None
        key = self.key(query)
        if key[0] < 0:
            return None
        if key not in self._kept:
            if len(self._kept) >= _KEPT_ANSWERS:
                self._kept.clear()
            self._kept[key] = self._of_day(*key)
        return self._kept[key]

    def votes_ahead(self, query: Query) -> NDArray[np.float64] | None:
        """How many learners of earlier cohorts first took each up in the next weeks, `(n_resources,)`, from this day.

        None where no cohort can say.
        """
        if self.score(query) is None:
            return None
        key = self.key(query)[:3]
        if key not in self._to_come:
            if len(self._to_come) >= _KEPT_ANSWERS:
                self._to_come.clear()
            resources, ahead, votes = self._around(*key)
            soon = (ahead >= 0) & (ahead < DAYS_AHEAD)
            self._to_come[key] = np.bincount(resources[soon], votes[soon], self._n).astype(np.float64)
        return self._to_come[key]

    def key(self, query: Query) -> tuple[int, int, int, int]:
        """The course, -1 where it is unknown, the start of the class, the day of the course, and its hour."""
        course = self._courses.row(query.course_id) if query.course_id else -1
        day, rest = divmod(query.now_us - query.starts_us, DAY_US)
        return (course, query.starts_us, day, rest // HOUR_US)

    def _earlier(self, course: int, starts_us: int) -> NDArray[np.int64]:
        arrays = self._arrays
        return np.flatnonzero((arrays["cohort_course"] == course) & (arrays["cohort_starts_us"] < starts_us))

    def _around(self, course: int, starts_us: int, day: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Resource, days from this day of the course, and votes, of all earlier cohorts of the course."""
        arrays, earlier = self._arrays, self._earlier(course, starts_us)
        spans = [slice(arrays["cohort_entries"][j], arrays["cohort_entries"][j + 1]) for j in earlier]
        nothing = slice(0, 0)
        days = np.concatenate([arrays["day_of_course"][s] for s in spans or [nothing]]).astype(np.float64)
        resources = np.concatenate([arrays["day_resource"][s] for s in spans or [nothing]])
        return resources, days - day, np.concatenate([arrays["day_votes"][s] for s in spans or [nothing]])

    def _of_day(self, course: int, starts_us: int, day: int, hour: int) -> NDArray[np.float64] | None:
        resources, days, votes = self._around(course, starts_us, day)
        # Where all earlier cohorts ended before this day they know nothing of what comes next.
        if not (days >= 0).any():
            return None
        # Of what they did on this day of the course, the hours that have gone by are behind.
        share = np.where(days == 0, 1.0 - hour / 24.0, days > 0)
        ahead, behind = votes * share, votes * (1.0 - share)
        n_learners = float(self._arrays["cohort_learners"][self._earlier(course, starts_us)].sum())
        without = n_learners - np.bincount(resources, behind, self._n) + DOUBTERS

        def faded(counted: NDArray[np.float64], half_life: float) -> NDArray[np.float64]:
            return np.bincount(resources, counted * 0.5 ** (np.abs(days) / half_life), self._n).astype(np.float64)

        around = [faded(counted, h) for counted in (ahead, behind) for h in self._half_lives.around]
        due = [faded(ahead, h) / without for h in self._half_lives.due]
        result: NDArray[np.float64] = np.vstack(
            [np.log1p(np.array(around) / PRIOR_VOTES), np.log1p(np.array(due) / SHARE_FLOOR)]
        )
        return result
