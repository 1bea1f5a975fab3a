"""Fit what items and skills are like: difficulty, usual time, and how it went last time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.kernels import Prepared, Statics, Traces, traces
from engine.learner.rows import Vocabulary
from training.attempts import Attempts

# Each learner's rows are read with statics that learner had no part in: features that know their own answer teach the
# trees a trust that new learners do not earn. One more fold, the last, holds what all learners say together.
N_FOLDS = 8
_PASSES, _REGIME_PASSES = 5, 3
# Damped Newton steps: items and skills share their rows, and full steps of both overshoot.
_STEP = 0.8
_ITEM_PRIOR, _SKILL_PRIOR, _REGIME_PRIOR = 0.4, 0.8, 2.0
_ITEM_TIME_PRIOR, _SKILL_TIME_PRIOR = 2.0, 4.0
_USUAL_LOG_SECONDS = 2.5

Values = NDArray[np.float64]


def fit_statics(
    attempts: Attempts, vocabulary: Vocabulary, *, lawful: bool = False
) -> tuple[Statics, NDArray[np.int32]]:
    """Statics `(N_FOLDS + 1, n)`, the last fold over all learners, and the fold of each learner `(n_learners,)`.

    `lawful`: a wrong last answer on a skill never counts above none, nor a right one below (`training.law`).
    """
    folds = folds_of(np.diff(attempts.learner_ptr))
    fitting = _Fitting(attempts, folds, len(vocabulary.item_keys), len(vocabulary.skill_keys))
    statics = fitting.start()
    for _ in range(_PASSES):
        statics = fitting.step(statics)
    for _ in range(_REGIME_PASSES):
        statics = fitting.regime_step(statics)
        statics = _in_order(statics) if lawful else statics
    return statics, folds


def _in_order(statics: Statics) -> Statics:
    """The effects of the last answer on a skill with wrong at most as high as none, and right at least."""
    never, right, wrong = np.moveaxis(statics.skill_regime, -1, 0)
    kept = np.stack([never, np.maximum(right, never), np.minimum(wrong, never)], axis=-1)
    return replace(statics, skill_regime=kept)


def last_fold(statics: Statics) -> Statics:
    """Only what all learners say together, as a bundle carries it: `(1, n)`."""
    names = ("item_b", "item_n", "item_m", "item_regime", "skill_b", "skill_n", "skill_m", "skill_regime")
    return replace(statics, **{name: getattr(statics, name)[-1:] for name in names})


def folds_of(sizes: NDArray[np.int64]) -> NDArray[np.int32]:
    """A fold for each learner so that the folds have about as many rows: the largest learner first."""
    folds = np.zeros(len(sizes), np.int32)
    load = np.zeros(N_FOLDS)
    for learner in np.argsort(-sizes, kind="stable"):
        folds[learner] = fold = int(load.argmin())
        load[fold] += sizes[learner] + 1
    return folds


class _Fitting:
    """The rows of one fit in the shapes its steps need."""

    def __init__(self, attempts: Attempts, folds: NDArray[np.int32], n_items: int, n_skills: int) -> None:
        rows = attempts.rows
        self.attempts, self.folds = attempts, folds
        self.n_items, self.n_skills = n_items, max(n_skills, 1)
        self.fold = np.repeat(folds, np.diff(attempts.learner_ptr))
        self.n_row_skills = np.diff(rows.skill_ptr)
        self.share = 1.0 / np.maximum(self.n_row_skills, 1)
        self.of_row = np.repeat(np.arange(len(rows)), self.n_row_skills)
        self.y, self.log_s = rows.y, np.log(rows.seconds)
        self.answered, self.clocked = np.isfinite(rows.y), np.isfinite(rows.seconds)

    def start(self) -> Statics:
        """Nothing known but the means and how often each item and skill was met."""
        zeros = [np.zeros((N_FOLDS + 1, n)) for n in (self.n_items, self.n_skills)]
        mean = _mean(self.y[self.answered], 0.5)
        rows = self.attempts.rows
        return Statics(
            mean=mean,
            b=float(np.log(np.clip(mean, 0.01, 0.99) / (1 - np.clip(mean, 0.01, 0.99)))),
            m=_mean(self.log_s[self.clocked], _USUAL_LOG_SECONDS),
            item_b=zeros[0],
            item_n=self._without(lambda keep: self._by_item(keep.astype(float))),
            item_m=zeros[0],
            item_regime=np.zeros((N_FOLDS + 1, self.n_items, 3)),
            skill_b=zeros[1],
            skill_n=self._without(lambda keep: _sums(rows.skill_row, keep[self.of_row].astype(float), self.n_skills)),
            skill_m=zeros[1],
            skill_regime=np.zeros((N_FOLDS + 1, self.n_skills, 3)),
        )

    def step(self, s: Statics) -> Statics:
        """One damped Newton step of every fold's difficulties and times, given what learners bring to each row."""
        told = traces(Prepared(s), self.attempts.rows, self.attempts.learner_ptr, folds=self.folds)
        own = self._difficulty(s, None)
        res, slope = self._residual(told, own)
        w = np.where(self.answered, told.weight, 0.0)
        late = np.where(self.clocked, self.log_s - self._usual(s, None), 0.0)
        timed = np.where(self.clocked, told.weight, 0.0)
        item_b, skill_b = s.item_b.copy(), s.skill_b.copy()
        item_m, skill_m = s.item_m.copy(), s.skill_m.copy()
        for fold in range(N_FOLDS + 1):
            res_f, slope_f = self._residual(told, self._difficulty(s, fold))
            keep = self.fold != fold
            g, h = keep * w * res_f, keep * w * slope_f
            skill_b[fold] += _STEP * _newton(self._by_skill(g), self._by_skill(h), s.skill_b[fold], _SKILL_PRIOR)
            item_b[fold] += _STEP * _newton(self._by_item(g), self._by_item(h), s.item_b[fold], _ITEM_PRIOR)
            behind = np.where(self.clocked, self.log_s - self._usual(s, fold) - told.rt_offset, 0.0)
            g, h = keep * timed * behind, keep * timed
            skill_m[fold] += _STEP * _newton(self._by_skill(g), self._by_skill(h), s.skill_m[fold], _SKILL_TIME_PRIOR)
            item_m[fold] += _STEP * _newton(self._by_item(g), self._by_item(h), s.item_m[fold], _ITEM_TIME_PRIOR)
        return replace(
            s,
            b=s.b + 0.7 * float((w * res).sum() / max((w * slope).sum(), 1e-9)),
            m=s.m + 0.7 * float((timed * late).sum() / max(timed.sum(), 1e-9)),
            item_b=item_b,
            skill_b=skill_b,
            item_m=item_m,
            skill_m=skill_m,
        )

    def regime_step(self, s: Statics) -> Statics:
        """One damped Newton step of what the last answer on an item, and on a skill, says beyond the rest."""
        told = traces(Prepared(s), self.attempts.rows, self.attempts.learner_ptr, folds=self.folds)
        rows = self.attempts.rows
        at_item = rows.item_row * 3 + told.item_regime
        at_skill = rows.skill_row * 3 + told.skill_regime
        item, skill = s.item_regime.copy(), s.skill_regime.copy()
        for fold in range(N_FOLDS + 1):
            effect = s.item_regime[fold].ravel()[at_item]
            effect = effect + self._mean_over_skills(s.skill_regime[fold].ravel()[at_skill])
            res, slope = self._residual(told, self._difficulty(s, fold) + effect)
            keep = (self.fold != fold) & self.answered
            g, h = keep * res, keep * slope
            item[fold] += _STEP * _newton(
                _sums(at_item, g, 3 * self.n_items), _sums(at_item, h, 3 * self.n_items),
                s.item_regime[fold].ravel(), _REGIME_PRIOR,
            ).reshape(-1, 3)  # fmt: skip
            g, h = (g * self.share)[self.of_row], (h * self.share)[self.of_row]
            skill[fold] += _STEP * _newton(
                _sums(at_skill, g, 3 * self.n_skills), _sums(at_skill, h, 3 * self.n_skills),
                s.skill_regime[fold].ravel(), _REGIME_PRIOR,
            ).reshape(-1, 3)  # fmt: skip
        return replace(s, item_regime=item, skill_regime=skill)

    def _residual(self, told: Traces, difficulty: Values) -> tuple[Values, Values]:
        """Outcome minus prediction, 0 for exposures, and the slope of the prediction."""
        p = 1.0 / (1.0 + np.exp(-(told.offset + difficulty)))
        res: Values = np.where(self.answered, self.y - p, 0.0)
        return res, p * (1.0 - p)

    def _difficulty(self, s: Statics, fold: int | None) -> Values:
        return s.b + self._effect(s.item_b, s.skill_b, fold)

    def _usual(self, s: Statics, fold: int | None) -> Values:
        return s.m + self._effect(s.item_m, s.skill_m, fold)

    def _effect(self, item: Values, skill: Values, fold: int | None) -> Values:
        """Item plus mean of skills for each row, by one fold, or by each row's own where `fold` is None."""
        rows = self.attempts.rows
        if fold is None:
            of_item: Values = item[self.fold, rows.item_row]
            return of_item + self._mean_over_skills(skill[self.fold[self.of_row], rows.skill_row])
        shared: Values = item[fold][rows.item_row]
        return shared + self._mean_over_skills(skill[fold][rows.skill_row])

    def _mean_over_skills(self, values: Values) -> Values:
        return _sums(self.of_row, values, len(self.y)) * self.share

    def _by_item(self, values: Values) -> Values:
        return _sums(self.attempts.rows.item_row, values, self.n_items)

    def _by_skill(self, values: Values) -> Values:
        spread = (values * self.share)[self.of_row]
        return _sums(self.attempts.rows.skill_row, spread, self.n_skills)

    def _without(self, counted: Callable[[NDArray[np.bool_]], Values]) -> Values:
        return np.array([counted(self.fold != fold) for fold in range(N_FOLDS + 1)])


def _sums(at: NDArray[np.integer[Any]], values: Values, n: int) -> Values:
    """Sums of the values by place: `(n,)`."""
    return np.bincount(at, values, n).astype(np.float64)


def _newton(gradient: Values, curvature: Values, value: Values, prior: float) -> Values:
    """The step towards the mode under a normal prior of this precision around 0."""
    return (gradient - prior * value) / (curvature + prior)


def _mean(values: Values, otherwise: float) -> float:
    return float(values.mean()) if len(values) else otherwise
