"""How a cohort stands: what it took up and touched lately, and how long ago each resource had its time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME
from engine.domain.id_map import IdMap
from engine.domain.query import Query

HALF_LIVES = (1.0, 3.0, 7.0, 14.0, 30.0)
WINDOWS = (1.0, 3.0, 7.0)
TOUCH_HALF_LIVES = (3.0, 14.0)
# The columns of `pulse_counts`: votes ever, decayed, in windows, touches decayed; then ages in days of votes.
N_COUNTS = 1 + len(HALF_LIVES) + len(WINDOWS) + len(TOUCH_HALF_LIVES)
QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)
# An age where there is no vote to be old.
NO_AGE = -1.0


@dataclass(frozen=True, slots=True)
class Standing:
    """One cohort over all resources: `counts` `(N_COUNTS, n_resources)`, `ages` `(5, n_resources)`.

    `n_active`: learners who did something within two weeks of the cohort's last vote, at least 1.
    """

    counts: NDArray[np.float32]
    ages: NDArray[np.float32]
    n_learners: float
    n_active: float


class Pulse:
    """The standing of each cohort; a cohort is the classes of one course that began at the same time.

    Cohort `j` is of course `pulse_course[j]` and began at `pulse_starts_us[j]`; its entries are
    `pulse_entries[j]:pulse_entries[j + 1]` of `pulse_resource`, `pulse_counts`, `pulse_ages`. Cohort 0 is everyone.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], courses: IdMap, n_resources: int) -> None:
        self._arrays = arrays
        self._courses = courses
        self._n = n_resources
        pairs = zip(arrays["pulse_course"].tolist(), arrays["pulse_starts_us"].tolist(), strict=True)
        self._rows = {pair: j for j, pair in enumerate(pairs) if j}
        self._latest = {course: j for (course, _), j in sorted(self._rows.items())}
        self._kept: dict[int, Standing] = {}

    def standing(self, query: Query) -> tuple[int, Standing]:
        """The cohort asked in, else the latest of its course, else everyone: its row and how it stands."""
        course = self._courses.row(query.course_id) if query.course_id else -1
        row = self._rows.get((course, query.starts_us), self._latest.get(course, 0))
        if row not in self._kept:
            self._kept[row] = self._of(row)
        return row, self._kept[row]

    def _of(self, row: int) -> Standing:
        entries = slice(self._arrays["pulse_entries"][row], self._arrays["pulse_entries"][row + 1])
        resources = self._arrays["pulse_resource"][entries]
        counts = np.zeros((N_COUNTS, self._n), np.float32)
        counts[:, resources] = self._arrays["pulse_counts"][entries].T
        ages = np.full((len(QUANTILES), self._n), NO_AGE, np.float32)
        ages[:, resources] = self._arrays["pulse_ages"][entries].T
        ever, active = self._arrays["pulse_learners"][row]
        return Standing(counts, ages, max(float(ever), 1.0), max(float(active), 1.0))


def is_timed(query: Query) -> bool:
    """Whether the moment of asking is known."""
    return query.now_us != NO_TIME
