"""The compiled kernels said in Python: their oracle in tests, and their stand-in where nothing was compiled.

Results are equal bit for bit on one machine: operations stand in the order of `kernels.c`, and the logarithms and
exponentials of `math` are those of its C library (numpy's are not).
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.kernels import BLOCK, DECAYS, UPDATE, Statics, Traces
from engine.learner.rows import Rows
from engine.learner.twin_features import Asked, ask, features
from engine.learner.twin_lean import Lean, lean_of, lean_on, sigmoid
from engine.learner.twin_state import (
    Known,
    Whole,
    absorb,
    advance,
    decay,
    fresh_known,
    fresh_whole,
    known_from,
    regime,
    whole_from,
    write_known,
    write_whole,
)


def start(whole: NDArray[np.void], mean: float) -> None:
    """Make `(1,)` of `SELF` a learner of whom nothing is known."""
    write_whole(fresh_whole(mean), whole[0])


def fold(
    statics: Statics,
    rows: Rows,
    statics_fold: int,
    flags: int,
    whole: NDArray[np.void],
    blocks: NDArray[np.void],
    n_blocks: int,
    out: NDArray[np.float32] | None,
) -> int:
    """Fold rows into `whole` and `blocks`, or only ask where `flags` lacks `UPDATE`; features before each into `out`.

    `blocks` has `n_blocks` and room for whatever is new; how many there are then is the result.
    """
    learner = _Learner(statics, statics_fold, flags, whole_from(whole[0]), _Blocks(statics.mean, blocks, n_blocks))
    for moment in learner.moments(rows, 0, len(rows)):
        if out is not None:
            out[moment.row] = moment.features(statics.mean)
    if flags & UPDATE:
        write_whole(learner.whole, whole[0])
        return learner.blocks.written()
    return n_blocks


def encode(  # noqa: PLR0913 - one argument for each the compiled function takes
    statics: Statics,
    rows: Rows,
    learner_ptr: NDArray[np.int64],
    first: int,
    last: int,
    folds: NDArray[np.int32],
    flags: int,
    columns: NDArray[np.int32],
    kept: NDArray[np.int64],
    out: NDArray[np.float32] | None,
    told: Traces | None,
) -> None:
    """Fold learners `first` to `last`, each from nothing: the `columns` of `kept` rows into `out`, traces into `told`.

    `kept` `(len(rows),)` says where in `out` a row goes, -1 for nowhere.
    """
    nothing = np.empty(0, BLOCK)
    for index in range(first, last):
        blocks = _Blocks(statics.mean, nothing, 0)
        learner = _Learner(statics, int(folds[index]), flags, fresh_whole(statics.mean), blocks)
        for moment in learner.moments(rows, int(learner_ptr[index]), int(learner_ptr[index + 1])):
            if out is not None and kept[moment.row] >= 0:
                out[kept[moment.row]] = moment.features(statics.mean)[columns]
            if told is not None:
                moment.trace(told, rows)


@dataclass(frozen=True, slots=True)
class _Moment:
    """One row before its own update: the learner, what was asked, the gap and the minute, and the logit."""

    row: int
    whole: Whole
    asked: Asked
    gap: float
    t: float
    z: float
    lean: Lean

    def features(self, mean: float) -> NDArray[np.float32]:
        it = self.lean
        lean = [it.logit, it.logit + it.leaning, it.leaning, it.variance, *self.whole.lean]
        return features(self.asked, mean, self.whole, gap=self.gap, t=self.t, z=self.z, lean=lean)

    def trace(self, told: Traces, rows: Rows) -> None:
        q, row = self.asked, self.row
        told.offset[row] = self.z - q.b
        told.weight[row] = 1.0 / (1.0 + q.item.n)
        told.rt_offset[row] = self.whole.rt_self
        told.item_regime[row] = regime(q.item)
        told.skill_regime[rows.skill_ptr[row] : rows.skill_ptr[row + 1]] = [regime(s) for s in q.skills]


class _Blocks:
    """The blocks of an array and whatever is met beyond them."""

    def __init__(self, mean: float, array: NDArray[Any], n: int) -> None:
        self.mean, self.array = mean, array
        self.place = {key: place for place, key in enumerate(array["key"][:n].tolist())}
        self.met: dict[int, Known] = {}

    def found(self, key: int, *, update: bool) -> Known:
        """The block of a key, to be kept where `update` is set, else a copy."""
        if key in self.met:
            return self.met[key] if update else deepcopy(self.met[key])
        place = self.place.get(key)
        known = fresh_known(key, self.mean) if place is None else known_from(self.array[place])
        if update:
            self.place.setdefault(key, len(self.place))
            self.met[key] = known
        return known

    def written(self) -> int:
        """Put whatever was met into the array; how many blocks there are now."""
        for key, known in self.met.items():
            write_known(known, self.array[self.place[key]])
        return len(self.place)


@dataclass(slots=True)
class _Learner:
    statics: Statics
    fold: int
    flags: int
    whole: Whole
    blocks: _Blocks

    def moments(self, rows: Rows, first: int, last: int) -> Iterator[_Moment]:
        """Each row from `first` to `last` before its own update, which follows when the next one is asked for."""
        for row in range(first, last):
            update = bool(self.flags & UPDATE) and not rows.y[row] < 0
            whole = self.whole if update else deepcopy(self.whole)
            moment = self._moment(rows, row, whole, update=update)
            yield moment
            if update:
                q = moment.asked
                p, y, seconds = sigmoid(moment.z), float(rows.y[row]), float(rows.seconds[row])
                if y == y:
                    lean_on(whole, moment.lean, y)
                absorb(whole, q.item, q.skills, t=moment.t, y=y, p=p, seconds=seconds, usual=q.m)

    def _moment(self, rows: Rows, row: int, whole: Whole, *, update: bool) -> _Moment:
        its = slice(rows.skill_ptr[row], rows.skill_ptr[row + 1])
        t, gap = advance(whole, float(rows.t[row]))
        item = self.blocks.found(int(rows.item_key[row]), update=update)
        skills = [self.blocks.found(key, update=update) for key in rows.skill_key[its].tolist()]
        if self.flags & DECAYS:
            for block in (whole.block, item, *skills):
                decay(block, float(whole.n_events), t)
        q = ask(
            self.statics, self.fold, whole,
            item=item, item_row=int(rows.item_row[row]), skills=skills, skill_rows=rows.skill_row[its].tolist(),
        )  # fmt: skip
        z = q.b + whole.block.ability + q.ability + item.ability
        return _Moment(row, whole, q, gap, t, z, lean_of(q, whole, z=z, t=t))
