"""What learners of earlier cohorts who had worked likewise by this day of the course went on to take up."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME, History
from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.ranking.neighbours import DAY_US, Neighbours
from engine.ranking.popularity import SHARE_FLOOR

# So many days away from the day it was fitted for, what follows from the work done is another matter.
_NEAR_DAYS = 28.0
# Its arrays in a bundle, each `likewise_…`.
KINDS = ("course", "day", "since_us", "share", "idle", "starts", "neighbour", "weight")


class Likewise:
    """Linear in the learner's work: by how much they are likelier than the whole cohort to take each resource up soon.

    Entry `j` is for course `likewise_course[j]` around its day `likewise_day[j]`, and for classes that began after
    `likewise_since_us[j]`. `likewise_share` `(n_entries, n_resources)`: how likely whoever is without it is;
    `likewise_idle`, alike: what is added for who did nothing. Row `j * n_resources + i` of the matrix of `Neighbours`
    says what work on resource `i` adds.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], courses: IdMap, n_resources: int) -> None:
        self._of_course = {int(course): j for j, course in enumerate(arrays["likewise_course"])}
        self._day, self._since_us = arrays["likewise_day"], arrays["likewise_since_us"]
        self._share, self._idle = arrays["likewise_share"], arrays["likewise_idle"]
        self._neighbours = Neighbours(arrays, "likewise", n_resources)
        self._courses, self._n = courses, n_resources

    def score(self, query: Query) -> NDArray[np.float64]:
        """Logarithm of how much likelier than their cohort: `(n_resources,)`; NaN where no earlier cohort can say."""
        entry = self._entry(query)
        if entry is None:
            return np.full(self._n, np.nan)
        rows, days = days_worked(query.history, self._n)
        if not len(rows):
            return np.full(self._n, np.nan)
        share = self._share[entry].astype(np.float64)
        likely = share + self._idle[entry] + self._neighbours.sums(rows + entry * self._n, days)
        result: NDArray[np.float64] = np.log1p(np.maximum(likely, 0.0) / SHARE_FLOOR) - np.log1p(share / SHARE_FLOOR)
        return result

    def _entry(self, query: Query) -> int | None:
        if query.starts_us == NO_TIME or query.now_us == NO_TIME or query.course_id is None:
            return None
        entry = self._of_course.get(self._courses.row(query.course_id))
        if entry is None or query.starts_us <= self._since_us[entry]:
            return None
        day = (query.hour_us - query.starts_us) / DAY_US
        return entry if abs(day - float(self._day[entry])) <= _NEAR_DAYS else None


def days_worked(history: History, n_resources: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The resources worked on, ascending, and for each the logarithm of one more than on how many days: `(n,)` both."""
    known = history.resource_index < n_resources
    worked, at_us = history.resource_index[known].astype(np.int64), history.at_us[known]
    order = np.lexsort((at_us, worked))
    worked, day = worked[order], at_us[order] // DAY_US
    new = np.ones(len(worked), bool)
    new[1:] = (worked[1:] != worked[:-1]) | (day[1:] != day[:-1])
    rows, counts = np.unique(worked[new], return_counts=True)
    return rows, np.log1p(counts)
