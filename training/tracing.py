"""The law by which answers tell whether a skill is known, fitted to a log; and what it says at moments of the log."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.learner.tracing import REMEMBERED, USUAL_TRACING, Tracing, step_matrices
from training.attempts import Attempts

# The usual law counts as so many answers of each kind; how many know a skill at first as so many learners.
_USUAL_COUNTS, _USUAL_LEARNERS = 50.0, 20.0
_ROUNDS = 40
# Outside of these a law has lost its meaning: who knows is right more often than who does not, and learning lasts.
_RANGE = {"guess": (0.02, 0.4), "slip": (0.02, 0.4), "learns": (0.005, 0.6), "loses": (0.0, 0.1)}
_PRIOR_RANGE = (0.02, 0.95)
# What is tried as the share of knowledge that a step on something else takes away.
_FADES = (0.0, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08)
# The least that is not surely worse is taken: by so much log-loss, four standard errors.
_SURELY = 8.0

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Met:
    """What learners had done on skills after each of their steps on them: `(n,)` each, by `code` ascending.

    `n` answers, the last of them the bits `recent`; `seen` exposures without an answer.
    """

    code: Ints
    skill: Ints
    n: Ints
    recent: Ints
    seen: Ints
    n_skills: int
    n_rows: int

    def before(self, learner: Ints, skill: Ints, row: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """`n`, `recent` and `seen` of learners on skills before rows of the log, and the steps since: `(m,)` each."""
        group = learner * self.n_skills + skill
        place = self.code.searchsorted(group * self.n_rows + row) - 1
        met = (place >= 0) & (self.code[np.maximum(place, 0)] // self.n_rows == group)
        at = place[met]
        n, recent, seen, idle = (np.zeros(len(row), np.int64) for _ in range(4))
        n[met], recent[met], seen[met] = self.n[at], self.recent[at], self.seen[at]
        idle[met] = row[met] - 1 - self.code[at] % self.n_rows
        return n, recent, seen, idle


@dataclass(frozen=True, slots=True)
class Traced:
    """A law, and what it is asked about."""

    met: Met
    law: Tracing

    def known(self, learner: Ints, skill: Ints, row: Ints, mastery: Floats) -> Floats:
        """P(known) of skills, by rows of the vocabulary, before rows of the log: `(m,)`; `mastery` by the model."""
        n, recent, seen, idle = self.met.before(learner, skill, row)
        prior = self.law.priors[skill]
        return self.law.said(prior, n, recent, seen, idle=idle, mastery=mastery)

    def against(self, learner: Ints, skill: Ints, row: Ints) -> Floats:
        """What answers before rows of the log say against skills being within reach: `(m,)`, as `Tracing.heard`."""
        n, recent, seen, _ = self.met.before(learner, skill, row)
        return self.law.heard(self.law.priors[skill], n, recent, seen)[1]


def met_in(attempts: Attempts, n_skills: int) -> Met:
    """What was done on each skill, step by step, as a state keeps it."""
    rows = attempts.rows
    row = np.repeat(np.arange(len(rows)), np.diff(rows.skill_ptr))
    skill, learner = rows.skill_row.astype(np.int64), attempts.learner[row]
    order = np.lexsort((row, skill, learner))
    order = order[skill[order] >= 0]
    row, skill, learner = row[order], skill[order], learner[order]
    group = learner * n_skills + skill
    y = rows.y[row]
    answered = np.isfinite(y)
    begins = np.searchsorted(group, group)
    n, recent = _counted(answered, begins), np.zeros(len(row), np.int64)
    right, last = (y[answered] >= 0.5).astype(np.int64), np.cumsum(answered) - 1
    for lag in range(REMEMBERED):
        some = n > lag
        recent[some] |= right[last[some] - lag] << lag
    return Met(group * len(rows) + row, skill, n, recent, _counted(~answered, begins), n_skills, len(rows))


def fit_tracing(met: Met, skill_keys: NDArray[np.uint64]) -> Tracing:
    """The law of a log's answers, by expectation and maximisation; the usual one where it has none.

    Each learner's first answers on a skill count, sequences that are alike once with their number. Two laws can say the
    same of all answers; the bounds leave the one that has a meaning. A log at random is full of steps on what is out of
    reach, and who is taught takes what is within it: by a step they learn no less often than is usual.
    """
    last = np.append(met.code[1:] // met.n_rows != met.code[:-1] // met.n_rows, True) if len(met.code) else met.code > 0
    chosen = np.flatnonzero((met.n > 0) & (met.n <= REMEMBERED) & (last | (met.n == REMEMBERED)))
    if not len(chosen):
        return replace(USUAL_TRACING, skill_keys=skill_keys, priors=np.full(len(skill_keys), USUAL_TRACING.prior))
    packed = (met.skill[chosen] << 24) | (met.n[chosen] << 16) | (met.recent[chosen] & 0xFFFF)
    alike, count = np.unique(packed, return_counts=True)
    skill, n, bits = alike >> 24, (alike >> 16) & 0xFF, alike & 0xFFFF
    law = {name: getattr(USUAL_TRACING, name) for name in _RANGE} | {"loses": 0.01}
    prior = USUAL_TRACING.prior
    priors = np.full(len(skill_keys), USUAL_TRACING.prior)
    for _ in range(_ROUNDS):
        law, priors, prior = _round(law, priors, skill, n, bits, count.astype(np.float64))
    law["learns"] = max(law["learns"], USUAL_TRACING.learns)
    found = Tracing(**law, fades=0.0, prior=prior, skill_keys=skill_keys, priors=priors)
    missed = [_missed(replace(found, fades=fades), met) for fades in _FADES]
    return replace(found, fades=next(f for f, m in zip(_FADES, missed, strict=True) if m <= min(missed) + _SURELY))


def _missed(law: Tracing, met: Met) -> float:
    """By how much the law misses answers on skills that were met before: the log-loss, by the steps in between."""
    group, row = met.code // met.n_rows, met.code % met.n_rows
    after = np.flatnonzero((group[1:] == group[:-1]) & (met.n[1:] > met.n[:-1])) + 1
    before, prior = after - 1, law.priors[met.skill[after]]
    known = law.known(prior, met.n[before], met.recent[before], met.seen[before])
    p = law.guess + law.span * law.faded(known, prior, row[after] - 1 - row[before])
    right = (met.recent[after] & 1).astype(bool)
    return float(-np.log(np.where(right, p, 1.0 - p)).sum())


def _round(
    law: dict[str, float], priors: Floats, skill: Ints, n: Ints, bits: Ints, count: Floats
) -> tuple[dict[str, float], Floats, float]:
    """One round: what each answer says of knowing under the law, and the law that this makes most likely."""
    step = step_matrices(*(law[name] for name in ("guess", "slip", "learns", "loses")))
    longest = int(n.max())
    right = [(bits >> np.maximum(n - 1 - t, 0)) & 1 for t in range(longest)]
    forward = [np.stack([1.0 - priors[skill], priors[skill]], 1)]
    for t in range(longest):
        moved = np.where((t < n)[:, None], np.einsum("ni,nij->nj", forward[-1], step[right[t]]), forward[-1])
        forward.append(moved / moved.sum(1, keepdims=True))
    backward = np.ones((len(n), 2))
    answers, moves, first = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros(len(n))
    for t in range(longest - 1, -1, -1):
        here = t < n
        shown = np.einsum("nij,nj->ni", step[right[t]], backward)
        both = forward[t][:, :, None] * step[right[t]] * backward[:, None, :]
        both *= (here * count / np.maximum(both.sum((1, 2)), 1e-300))[:, None, None]
        state = both.sum(2)
        answers[0] += (state * (1 - right[t])[:, None]).sum(0)
        answers[1] += (state * right[t][:, None]).sum(0)
        inner = both * (t + 1 < n)[:, None, None]
        moves += inner.sum(0)
        backward = np.where(here[:, None], shown / shown.sum(1, keepdims=True), backward)
        if t == 0:
            first = state[:, 1]
    told = {
        "guess": _share(answers[1, 0], answers[:, 0].sum(), "guess"),
        "slip": _share(answers[0, 1], answers[:, 1].sum(), "slip"),
        "learns": _share(moves[0, 1], moves[0].sum(), "learns"),
        "loses": _share(moves[1, 0], moves[1].sum(), "loses"),
    }
    each = np.bincount(skill, count, len(priors))
    prior = float(np.clip(first.sum() / count.sum(), *_PRIOR_RANGE))
    theirs = (np.bincount(skill, first, len(priors)) + _USUAL_LEARNERS * prior) / (each + _USUAL_LEARNERS)
    return told, np.clip(theirs, *_PRIOR_RANGE), prior


def _share(part: float, whole: float, name: str) -> float:
    """A share of answers, or of steps, drawn a little towards the usual law and inside its bounds."""
    usual = getattr(USUAL_TRACING, name)
    return float(np.clip((part + _USUAL_COUNTS * usual) / (whole + _USUAL_COUNTS), *_RANGE[name]))


def _counted(which: NDArray[np.bool_], begins: Ints) -> Ints:
    """How many of these there were up to each place, since its group begins: `(n,)`."""
    total = np.concatenate([[0], np.cumsum(which)])
    counted: Ints = (total[1:] - total[begins]).astype(np.int64)
    return counted
