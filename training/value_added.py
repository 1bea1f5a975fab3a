"""What steps were worth: later answers on a skill, beyond what the state before the step said of them.

For a step on a skill and a later answer on it, the value added is the score minus what is usual at P(success) as asked,
for the time of that answer, of the state before the step. A controlled answer is asked the same way of a moment with no
step on the skill in between, so that what merely drifts with time is not mistaken for learning.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.learner.gains import FACTS, ROW_COLUMNS, SKILL_COLUMNS, step_facts
from engine.learner.kernels import encode
from engine.learner.mastery import NEVER_MET, usual_items
from engine.learner.model import LearnerModel
from engine.learner.rows import Rows, stacked
from engine.learner.tracing import within_reach
from training.attempts import Attempts
from training.tracing import Traced

# More pairs hardly change the trees, but their time.
MAX_STEPS, MAX_CONTROLS = 40_000, 12_000
HORIZON = 2
_ROWS_AT_ONCE = 150_000
_ASKED = -1.0
_BINS, _LEAST_IN_BIN = 20, 50

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ValueAdded:
    """`n` pairs of a moment and a later answer on a skill.

    `facts`: `(n, n_facts)` float32. `chance`: `(n,)` of the answer, as the state at the moment saw it; `added`: `(n,)`
    its score beyond what is usual at that chance. `weight`: `(n,)`. `row`: `(n,)` the row of the step, -1 for a
    control; `answer`: `(n,)` the row of the answer. `learner`: `(n,)`.
    """

    facts: NDArray[np.float32]
    chance: Floats
    added: Floats
    answer: Ints
    weight: Floats
    row: Ints
    learner: Ints

    @property
    def steps(self) -> NDArray[np.bool_]:
        """Which pairs are steps, and not controls: `(n,)`."""
        return self.row >= 0


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Moment `before` row, the skill (row of the vocabulary), the later answer's row, the step's row or -1, weight."""

    before: Ints
    skill: Ints
    answer: Ints
    step: Ints
    weight: Floats

    def where(self, mask: NDArray[np.bool_] | Ints) -> "_Pairs":
        return _Pairs(self.before[mask], self.skill[mask], self.answer[mask], self.step[mask], self.weight[mask])


def value_added(
    attempts: Attempts,
    model: LearnerModel,
    *,
    traced: Traced,
    needed: Mapping[int, Sequence[int]],
    log_minutes: Floats,
    formats: Floats,
    seed: int,
) -> ValueAdded:
    """The value added by steps of a log; `needed` are the skills needed before a skill, by rows of the vocabulary.

    `log_minutes`, `formats`: one for each row of the attempts. Outcomes count as they were scored, in [0, 1]: graded
    ones say more than whether they were a success, and what is usual of a score is read off its chance of success.
    """
    rng = np.random.default_rng(seed)
    pairs = _pairs(attempts, rng)
    menu = _Menu(model, needed)
    scores = attempts.frame["outcome"].cast(pl.Float64).fill_null(float("nan")).to_numpy().clip(0.0, 1.0)
    found = [
        _asked(attempts, model, menu, some, traced=traced, log_minutes=log_minutes, formats=formats)
        for some in _in_parts(pairs, attempts)
    ]
    if not found:
        no, none = np.zeros(0), np.zeros(0, np.int64)
        return ValueAdded(np.zeros((0, len(FACTS)), np.float32), no, no, none, no, none, none)
    whole = ValueAdded(*(np.concatenate([getattr(f, n) for f in found]) for n in ValueAdded.__dataclass_fields__))
    return replace(whole, added=scores[whole.answer] - _usual_score(whole, scores)(whole.chance))


def _usual_score(found: "ValueAdded", scores: Floats) -> Callable[[Floats], Floats]:
    """The usual score at a chance of success: means over steps with like chances, rising, and lines between."""
    own = found.steps & np.isfinite(scores[np.maximum(found.row, 0)])
    chance, score = found.facts[own, 1].astype(np.float64), scores[found.row[own]]
    if len(chance) < _BINS * _LEAST_IN_BIN:
        return lambda p: p
    parts = np.array_split(np.argsort(chance, kind="stable"), _BINS)
    at, mean = (np.array([of[part].mean() for part in parts]) for of in (chance, score))
    rising = _rising(mean)
    return lambda p: np.interp(p, at, rising)


def _rising(mean: Floats) -> Floats:
    """The nearest values that never fall: neighbours out of order share their mean."""
    blocks: list[tuple[float, int]] = []
    for value in mean.tolist():
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (right, m), (left, n) = blocks.pop(), blocks.pop()
            blocks.append(((left * n + right * m) / (n + m), n + m))
    return np.repeat([value for value, _ in blocks], [n for _, n in blocks])


def _pairs(attempts: Attempts, rng: np.random.Generator) -> _Pairs:
    rows = attempts.rows
    row = np.repeat(np.arange(len(rows)), np.diff(rows.skill_ptr))
    learner, skill = attempts.learner[row], rows.skill_row.astype(np.int64)
    order = np.lexsort((row, skill, learner))
    order = order[skill[order] >= 0]
    row, skill, learner = row[order], skill[order], learner[order]
    group = np.cumsum(np.concatenate([[0], (np.diff(learner) != 0) | (np.diff(skill) != 0)])) if len(row) else row
    answered = np.flatnonzero(np.isfinite(rows.y[row]))
    steps = _later(row, skill, group, answered)
    return _joined(
        _drawn(steps, MAX_STEPS, rng), _drawn(_controls(row, skill, group, answered, attempts, rng), MAX_CONTROLS, rng)
    )


def _later(row: Ints, skill: Ints, group: Ints, answered: Ints) -> _Pairs:
    """Each step on a skill with the first answers on it that follow; the first says most of this very step."""
    found = []
    place = np.searchsorted(answered, np.arange(len(row)), side="right")
    for further in range(HORIZON):
        at = place + further
        step = np.flatnonzero(at < len(answered))
        answer = answered[at[step]]
        step, answer = step[group[step] == group[answer]], answer[group[step] == group[answer]]
        weight = np.full(len(step), 1.0 / (1.0 + further))
        found.append(_Pairs(row[step], skill[step], row[answer], row[step], weight))
    return _joined(*found)


def _controls(
    row: Ints, skill: Ints, group: Ints, answered: Ints, attempts: Attempts, rng: np.random.Generator
) -> _Pairs:
    """Answers with other work since the skill was last met, asked of a moment amid that work."""
    first = attempts.learner_ptr[attempts.learner[row[answered]]]
    before = np.where(
        (answered > 0) & (group[answered] == group[np.maximum(answered - 1, 0)]), row[np.maximum(answered - 1, 0)], -1
    )
    after = np.maximum(before, first - 1)
    room = row[answered] - after - 1
    usable = room > 0
    at = after[usable] + 1 + (rng.random(int(usable.sum())) * room[usable]).astype(np.int64)
    nothing = np.full(len(at), -1)
    return _Pairs(at, skill[answered][usable], row[answered][usable], nothing, np.ones(len(at)))


def _joined(*pairs: _Pairs) -> _Pairs:
    return _Pairs(*(np.concatenate([getattr(p, name) for p in pairs]) for name in _Pairs.__dataclass_fields__))


def _drawn(pairs: _Pairs, most: int, rng: np.random.Generator) -> _Pairs:
    n = len(pairs.before)
    return pairs if n <= most else pairs.where(np.sort(rng.choice(n, most, replace=False)))


def _in_parts(pairs: _Pairs, attempts: Attempts) -> Iterator[_Pairs]:
    """The pairs by learners, so many at once that what is asked about them fits into memory."""
    order = np.argsort(pairs.before, kind="stable")
    most = max(1, _ROWS_AT_ONCE // 16)
    learner = attempts.learner[pairs.before[order]]
    first = 0
    while first < len(order):
        last = min(first + most, len(order))
        last = int(np.searchsorted(learner, learner[last - 1], side="right"))
        yield pairs.where(order[first:last])
        first = last


class _Menu:
    """What is asked about each skill at a moment: its own usual items, then those of what is needed before it."""

    def __init__(self, model: LearnerModel, needed: Mapping[int, Sequence[int]]) -> None:
        keys = model.vocabulary.skill_keys
        items, of_skill = usual_items(keys, model)
        ptr = np.searchsorted(of_skill, np.arange(len(keys) + 1))
        menus = [[k, *needed.get(k, ())] for k in range(len(keys))]
        self.keys = keys
        self.about = [np.concatenate([np.full(ptr[s + 1] - ptr[s], s) for s in menu]) for menu in menus]
        self.items = [np.concatenate([items[ptr[s] : ptr[s + 1]] for s in menu]) for menu in menus]


def _asked(
    attempts: Attempts,
    model: LearnerModel,
    menu: _Menu,
    pairs: _Pairs,
    *,
    traced: Traced,
    log_minutes: Floats,
    formats: Floats,
) -> ValueAdded:
    """One part: the learners' rows with what is asked put between them, read in one pass."""
    rows, n = attempts.rows, len(pairs.before)
    sizes = np.array([len(menu.items[s]) for s in pairs.skill])
    pair = np.repeat(np.arange(n), sizes)
    about = np.concatenate([menu.about[s] for s in pairs.skill])
    usual = _usual_rows(rows, pairs, pair, about, np.concatenate([menu.items[s] for s in pairs.skill]), menu)
    step = np.where(pairs.step >= 0, pairs.step, pairs.answer)
    asked = stacked([_asking(rows.taken(pairs.answer)), _asking(rows.taken(step)), usual])
    before = np.concatenate([pairs.before, pairs.before, pairs.before[pair]])
    x, item_row = _read(attempts, model, asked, before)
    columns = {int(c): i for i, c in enumerate(_columns(model))}
    p = model.outlook(x[:, : len(model.columns)], item_row).p
    learner = attempts.learner[pairs.before]
    mastery, readiness, mean = _mastered(traced, pairs, learner, pair, about, p[2 * n :])
    first = 2 * n + np.searchsorted(pair, np.arange(n))
    facts = step_facts(
        mastery=mastery,
        readiness=(within_reach(readiness, traced.against(learner, pairs.skill, pairs.before)), mean),
        known=traced.known(learner, pairs.skill, pairs.before, mastery),
        p=p[n : 2 * n],
        of_skill=x[first][:, [columns[int(c)] for c in SKILL_COLUMNS]],
        own=x[n : 2 * n][:, [columns[int(c)] for c in ROW_COLUMNS]],
        log_minutes=log_minutes[step],
        formats=formats[step],
    )
    return ValueAdded(facts, p[:n], np.zeros(n), pairs.answer, pairs.weight, pairs.step, learner)


def _columns(model: LearnerModel) -> NDArray[np.int32]:
    """The columns of the learner model, then those of the facts."""
    return np.concatenate([model.columns, SKILL_COLUMNS, ROW_COLUMNS]).astype(np.int32)


def _mastered(
    traced: Traced, pairs: _Pairs, learner: Ints, pair: Ints, about: Ints, p: Floats
) -> tuple[Floats, Floats, Floats]:
    """Mastery of the skill; then how surely what is needed before it is known, the least and the mean of it: `(n,)`.

    1 where nothing is needed. `p`: of the usual items of the skills `about` that were asked of each pair.
    """
    n = len(pairs.before)
    each, place = np.unique(np.stack([pair, about]), axis=1, return_inverse=True)
    whose, skill = each
    said = np.bincount(place.ravel(), p) / np.bincount(place.ravel())
    own = skill == pairs.skill[whose]
    mastery = np.zeros(n)
    mastery[whose[own]] = said[own]
    of, other = whose[~own], ~own
    known = traced.known(learner[of], skill[other], pairs.before[of], said[other])
    least = np.ones(n)
    np.minimum.at(least, of, known)
    n_needed = np.bincount(of, minlength=n)
    return mastery, least, np.where(n_needed > 0, np.bincount(of, known, n) / np.maximum(n_needed, 1), 1.0)


def _asking(rows: Rows) -> Rows:
    """The same rows, only asked about."""
    return replace(rows, y=np.full(len(rows), _ASKED), seconds=np.full(len(rows), np.nan))


def _usual_rows(rows: Rows, pairs: _Pairs, pair: Ints, about: Ints, items: NDArray[np.int32], menu: _Menu) -> Rows:
    n = len(pair)
    return Rows(
        t=rows.t[pairs.before[pair]],
        y=np.full(n, _ASKED),
        seconds=np.full(n, np.nan),
        item_key=np.full(n, NEVER_MET, np.uint64),
        item_row=items.astype(np.int32),
        skill_ptr=np.arange(n + 1, dtype=np.int64),
        skill_key=menu.keys[about],
        skill_row=about.astype(np.int32),
    )


def _read(
    attempts: Attempts, model: LearnerModel, asked: Rows, before: Ints
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Features of what is asked, each before its row of the log, in the order of `asked`; and the rows of its items."""
    learners = np.unique(attempts.learner[before])
    taken = np.concatenate([np.arange(*attempts.learner_ptr[one : one + 2]) for one in learners])
    order = np.argsort(np.concatenate([2 * taken + 1, 2 * before]), kind="stable")
    mixed = stacked([attempts.rows.taken(taken), asked]).taken(order)
    kept = np.where(order >= len(taken), order - len(taken), -1).astype(np.int64)
    owner = np.concatenate([attempts.learner[taken], attempts.learner[before]])[order]
    ptr = np.concatenate([[0], np.flatnonzero(np.diff(owner)) + 1, [len(owner)]]).astype(np.int64)
    folds = np.zeros(len(ptr) - 1, np.int32)
    x = encode(model.prepared, mixed, ptr, folds=folds, columns=_columns(model), kept=kept)
    return x, asked.item_row
