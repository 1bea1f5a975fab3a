"""What the learned ranker looks at: a row of numbers for each resource it is asked about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.learner.kernels import library
from engine.ranking.columns import AFTER, ALIKE, EASE, MOST_AT_ONCE, Columns, Compiled
from engine.ranking.neighbours import LAST, PLAIN, Neighbours, Work, work_of
from engine.ranking.pulse import HALF_LIVES, NO_AGE, TOUCH_HALF_LIVES, WINDOWS, Pulse, Standing

Rows = NDArray[np.int64]
Values = NDArray[np.float64]

# Each model of the learner's own work: how the history is read, and whether it is of unit length.
READINGS: Mapping[str, tuple[float, bool]] = {
    "ease": (PLAIN, False),
    "ease_7d": (7.0, False),
    "ease_21d": (21.0, False),
    "alike": (PLAIN, True),
    "next_14d": (14.0, True),
    "next_45d": (45.0, True),
    "after": (LAST, False),
    "after_ever": (LAST, False),
}
# Counted from what is still noise, so that a logarithm tells strong from weak and not weak from nothing.
_SUM_FLOOR, _STEP_FLOOR = 1e-2, 1e-4
_NEVER_DAYS, _UNSAID = 999.0, -99.0

_STANDING = (
    *(f"recent_{h:g}d" for h in HALF_LIVES),
    *(f"within_{w:g}d" for w in WINDOWS),
    *(f"touched_{h:g}d" for h in TOUCH_HALF_LIVES),
    "votes", "share", "rising", "age_least", "age_tenth", "age_median", "age_nine_tenths", "age_most",
)  # fmt: skip
_FORMAT_STANDING = ("format_recent", "format_offered")
# Of what is counted, by which candidates are put in their places: votes ever, of three days, of a week.
_COUNTED = (0, 2, 3)
_PLACES = ("place_votes", "place_3d", "place_7d", "below_top_7d")
_FORMATS = ("format_mine", "format_seen", "format_lift")
FAMILY_OF_BLOCK = {"others": 0, "course_time": 1, "own_work": 2, "format": 3}


@dataclass(frozen=True, slots=True)
class Said:
    """What the first stage already said of all resources: terms of `CourseDay`, LightFM's factors; None without."""

    by_day: Values | None
    factors: Values | None


@dataclass(frozen=True, slots=True)
class Cohort:
    """What is alike for all learners of a cohort: `columns` `(n_resources, n)`, and shares of formats.

    `recent`: `(n_resources,)` logarithm of the votes of a week.
    """

    columns: NDArray[np.float32]
    standing: Standing
    recent: Values
    format_share: Values
    format_offered: Values
    compiled: Compiled = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        counts = [np.ascontiguousarray(self.standing.counts[k]) for k in _COUNTED]
        own = (self.recent, self.format_share, self.format_offered)
        object.__setattr__(
            self, "compiled", Compiled(self.columns, *counts, np.ascontiguousarray(self.standing.ages[2]), *own)
        )


class Features:
    """The columns of the learned ranker over the arrays of a bundle, with `names` and `families` in order."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], courses: IdMap, n_resources: int, n_by_day: int) -> None:
        self._pulse = Pulse(arrays, courses, n_resources)
        self._models = {n: Neighbours(arrays, n, n_resources) for n in READINGS if f"{n}_starts" in arrays}
        self._formats = np.ascontiguousarray(arrays["resource_format"], np.int64)
        self._n_formats = int(self._formats.max(initial=0)) + 1
        self._n_by_day = n_by_day
        self._kept: dict[int, Cohort] = {}
        blocks = [
            ("others", _STANDING),
            ("format", _FORMAT_STANDING),
            ("others", _PLACES),
            ("own_work", [c for m in self._models for c in _columns_of(m)]),
            ("own_work", ("factors", "place_factors", "lagged", "n_seen")),
            ("format", _FORMATS),
            ("course_time", [f"day_{i}{x}" for i in range(n_by_day) for x in ("", "_top")]),
        ]
        self.names = tuple(name for _, names in blocks for name in names)
        self.families = np.array([FAMILY_OF_BLOCK[f] for f, names in blocks for _ in names], np.int32)
        self._columns = Columns(
            [(model, *READINGS[name], _kind(name)) for name, model in self._models.items()],
            self._formats,
            self._n_formats,
            n_shared=len(_STANDING) + len(_FORMAT_STANDING),
            n_by_day=n_by_day,
            n_columns=len(self.names),
        )

    def of(self, query: Query, rows: Rows, said: Said) -> NDArray[np.float32]:
        """`(len(rows), n_columns)` for rows the bundle knows."""
        work, known = work_of(query, len(self._formats)), self._cohort(query)
        if library() is None or len(rows) > MOST_AT_ONCE:
            return self.listed(work, known, rows, said)
        return self._columns.of(known.compiled, work, rows, factors=said.factors, by_day=said.by_day)

    def listed(self, work: Work, known: Cohort, rows: Rows, said: Said) -> NDArray[np.float32]:
        """The same in numpy: the compiled columns' oracle and stand-in."""
        factors = np.zeros(len(rows)) if said.factors is None else said.factors[rows]
        own = [*_places(known.standing, rows), *self._own(work, rows, known.recent[rows]), *_factors(factors)]
        own += [_lagged(work, rows, known.standing), np.full(len(rows), np.log1p(len(work.rows)))]
        own += [*self._own_formats(work, rows, known), *self._by_day(said.by_day, rows)]
        result: NDArray[np.float32] = np.empty((len(rows), len(self.names)), np.float32)
        n_shared = known.columns.shape[1]
        result[:, :n_shared] = known.columns[rows]
        for place, column in enumerate(own):
            result[:, n_shared + place] = column
        return result

    def _cohort(self, query: Query) -> Cohort:
        cohort, standing = self._pulse.standing(query)
        if cohort not in self._kept:
            self._kept[cohort] = self._of_cohort(standing)
        return self._kept[cohort]

    def _of_cohort(self, standing: Standing) -> Cohort:
        votes = standing.counts.astype(np.float64)
        lately = votes[4] if votes[4].any() else votes[0]
        share = np.bincount(self._formats, lately, self._n_formats)
        share = share / max(share.sum(), 1e-9)
        offered = np.bincount(self._formats, votes[0] > 0, self._n_formats).astype(np.float64)
        columns = [*_standing_columns(standing), np.log(share + 1e-3)[self._formats], offered[self._formats]]
        recent = np.log(votes[3] + 0.1)
        return Cohort(np.stack(columns, axis=1).astype(np.float32), standing, recent, share, offered)

    def _own(self, work: Work, rows: Rows, recent: Values) -> list[Values]:
        columns: list[Values] = []
        for name, model in self._models.items():
            half_life_days, unit = READINGS[name]
            sums = model.sums(work.rows, work.weights(half_life_days, unit=unit))[rows]
            if _kind(name) == EASE:
                columns += [sums, _place(sums)]
            elif _kind(name) == AFTER:
                columns.append(np.log(np.maximum(sums, 0.0) + _STEP_FLOOR))
            else:
                logs = np.log(np.maximum(sums, 0.0) + _SUM_FLOOR)
                columns += [logs, logs - logs.max(initial=np.log(_SUM_FLOOR)), logs - recent]
        return columns

    def _own_formats(self, work: Work, rows: Rows, known: Cohort) -> list[Values]:
        formats, share = self._formats[rows], known.format_share
        mine = np.bincount(self._formats[work.rows], work.weights(14.0, unit=False), self._n_formats)
        seen = np.bincount(self._formats[work.rows], minlength=self._n_formats)
        own = (mine + 2.0 * share) / (mine.sum() + 2.0)
        lift = np.log((mine / (mine.sum() + 1e-6) + 0.02) / (share + 0.02))
        return [own[formats], (seen / np.maximum(known.format_offered, 1.0))[formats], lift[formats]]

    def _by_day(self, by_day: Values | None, rows: Rows) -> list[Values]:
        if by_day is None:
            return [np.full(len(rows), _UNSAID)] * (2 * self._n_by_day)
        offered = by_day[:, rows]
        return [column for term in offered for column in (term, term - term.max(initial=0.0))]


def _kind(model: str) -> int:
    return EASE if model.startswith("ease") else AFTER if model.startswith("after") else ALIKE


def _columns_of(model: str) -> list[str]:
    told = {EASE: [model, f"place_{model}"], AFTER: [model], ALIKE: [model, f"{model}_top", f"{model}_lift"]}
    return told[_kind(model)]


def _standing_columns(standing: Standing) -> list[Values]:
    votes, n = standing.counts.astype(np.float64), standing.n_active
    windows = 1 + len(HALF_LIVES)
    touches = windows + len(WINDOWS)
    ages = np.where(standing.ages == NO_AGE, NO_AGE, standing.ages).astype(np.float64)
    ages[0] = np.where(ages[0] == NO_AGE, _NEVER_DAYS, ages[0])
    return [
        *np.log((votes[1:windows] + 0.05) / n),
        *(votes[windows:touches] / n),
        *np.log((votes[touches:] + 0.1) / n),
        np.log((votes[0] + 0.1) / n),
        votes[0] / standing.n_learners,
        np.log((votes[2] + 0.2) / (votes[4] + 0.6)),
        *ages,
    ]


def _places(standing: Standing, rows: Rows) -> list[Values]:
    votes, week = standing.counts[:, rows], standing.counts[3, rows].astype(np.float64)
    top = week.max(initial=0.0)
    return [_place(votes[0]), _place(votes[2]), _place(week), np.log((week + 0.1) / (top + 0.1))]


def _factors(factors: Values) -> list[Values]:
    said = np.where(np.isnan(factors), 0.0, factors)
    return [said - said.max(initial=-np.inf), _place(said)] if len(said) else [said, said]


def _lagged(work: Work, rows: Rows, standing: Standing) -> Values:
    """Days since the cohort took a resource up, shifted by how far the learner's last steps lag behind the cohort."""
    median = standing.ages[2].astype(np.float64)
    last, days = work.rows[-10:], work.days[-10:]
    told = median[last] != NO_AGE
    lag = float((days - median[last])[told].mean()) if told.any() else 0.0
    return np.where(median[rows] != NO_AGE, median[rows] + lag, _UNSAID)


def _place(values: NDArray[Any]) -> Values:
    """0 for the highest, equals in order of rows: `(n,)`."""
    result = np.empty(len(values))
    result[np.argsort(-values, kind="stable")] = np.arange(len(values))
    return result
