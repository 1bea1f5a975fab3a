"""Rows drawn from a log with the features a learner had before each."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.learner.features import NAMES
from engine.learner.kernels import Prepared, Statics, encode
from engine.learner.model import FIRST_COLUMNS, USUAL
from training.attempts import Attempts

Floats = NDArray[np.float32]

# More rows hardly change the trees, but their time; they are drawn from all learners alike.
MASTERY_ROWS, PACE_ROWS = 120_000, 80_000
_N_PARTS = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """`n` rows to fit on: features `(n, n_columns)`, target, rows of items, and a part of the learners, 0 to 3.

    `n_learners` is how many learners the log has.
    """

    x: Floats
    y: NDArray[np.float64]
    item: NDArray[np.int32]
    part: NDArray[np.int64]
    n_learners: int

    def __len__(self) -> int:
        return len(self.y)

    def where(self, mask: NDArray[np.bool_]) -> "Sample":
        """The rows under a mask."""
        return Sample(self.x[mask], self.y[mask], self.item[mask], self.part[mask], self.n_learners)

    @property
    def usual(self) -> NDArray[np.float64]:
        """The usual log seconds of each row."""
        return self.x[:, USUAL].astype(np.float64)


def samples_of(
    attempts: Attempts, statics: Statics, folds: NDArray[np.int32], seed: int
) -> tuple[NDArray[np.int32], Sample, Sample]:
    """The columns worth looking at, answers to fit success on, and answers with a time to fit pace on."""
    rows, rng = attempts.rows, np.random.default_rng(seed)
    answered = np.flatnonzero(np.isfinite(rows.y))
    for_mastery = _drawn(answered, MASTERY_ROWS, rng)
    for_pace = _drawn(answered[np.isfinite(rows.seconds[answered])], PACE_ROWS, rng)
    wanted = np.union1d(for_mastery, for_pace)
    kept = np.full(len(rows), -1, np.int64)
    kept[wanted] = np.arange(len(wanted))
    x = _encoded(attempts, statics, folds, kept, len(wanted))
    columns = _telling(x)
    x = np.ascontiguousarray(x[:, columns])
    part = attempts.learner % _N_PARTS

    def sample(at: NDArray[np.int64], y: NDArray[np.float64]) -> Sample:
        return Sample(x[kept[at]], y[at], rows.item_row[at], part[at], attempts.n_learners)

    return columns, sample(for_mastery, rows.y), sample(for_pace, np.log(rows.seconds))


def _encoded(attempts: Attempts, statics: Statics, folds: NDArray[np.int32], kept: NDArray[np.int64], n: int) -> Floats:
    """All features of the kept rows, each learner read with statics they had no part in, on two cores."""
    columns = np.arange(len(NAMES), dtype=np.int32)
    out = np.empty((n, len(columns)), np.float32)
    prepared = Prepared(statics)
    halves = _halves(attempts)
    with ThreadPoolExecutor(len(halves)) as pool:
        jobs = [
            pool.submit(
                encode, prepared, attempts.rows, attempts.learner_ptr,
                folds=folds, columns=columns, kept=kept, learners=half, out=out,
            )
            for half in halves
        ]  # fmt: skip
        for job in jobs:
            job.result()
    return out


def _halves(attempts: Attempts) -> list[tuple[int, int]]:
    middle = int(np.searchsorted(attempts.learner_ptr, len(attempts.rows) // 2))
    middle = min(max(middle, 0), attempts.n_learners)
    return [(0, middle), (middle, attempts.n_learners)]


def _drawn(rows: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _telling(x: Floats) -> NDArray[np.int32]:
    """The columns every model has, then those that vary and repeat no earlier one."""
    some = x[:: max(1, len(x) // 5_000)]
    kept = FIRST_COLUMNS.tolist()
    seen = {some[:, column].tobytes() for column in kept}
    for column in np.flatnonzero(np.ptp(some, axis=0) > 1e-7).tolist() if len(some) else ():
        content = some[:, column].tobytes()
        if content not in seen:
            seen.add(content)
            kept.append(column)
    return np.array(kept, np.int32)
