"""Whether a skill is known, by a law that all skills share: what answers say of it does not depend on who came before.

A filter of two states (Corbett & Anderson 1995), known or not, over the last answers on a skill. The learner model
foretells answers better among learners like those of its log; where nobody there ever knew a skill it has no word for
knowing it, and this filter has: a right answer tells as much of that skill as of any other.
"""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.kernels import address

# Known as surely as this, a skill counts as mastered, wherever a learner, a teacher or a policy is told so.
MASTERED = 0.85
# So many answers back are read; what came before them is forgotten by then.
REMEMBERED = 16
# More exposures than these without an answer say nothing more.
MOST_SEEN = 8
# The learner model's word on a skill counts as so many answers on it.
SAID = 2.0
_HALF = REMEMBERED // 2
_ALL = (1 << _HALF) - 1
_ONES = np.array([bits.bit_count() for bits in range(1 << REMEMBERED)], np.int64)
_LAWS = ("guess", "slip", "learns", "loses", "fades", "prior")

Floats = NDArray[np.float64]


class _CTracing(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_double) for name in ("guess", "span", "fades", "prior")],
        ("n_keys", ctypes.c_int64),
        *[(name, ctypes.c_void_p) for name in ("keys", "priors", "chunks", "of_guess", "of_wrong", "taught")],
    ]


@dataclass(frozen=True, slots=True)
class Tracing:
    """The law, and how many know each skill before any work on it: `priors` `(n,)` beside keys `(n,)` ascending.

    `guess`: of a right answer where it is not known; `slip`: of a wrong one where it is; `learns`, `loses`: with each
    step on it; `fades`: with each step on something else since; `prior`: for a skill that was not in the log.
    """

    guess: float
    slip: float
    learns: float
    loses: float
    fades: float
    prior: float
    skill_keys: NDArray[np.uint64]
    priors: Floats
    _chunks: Floats = field(init=False, repr=False, compare=False)
    _kept: tuple[Any, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_chunks", _chunks_of(self))
        answers, seen = np.arange(REMEMBERED + 1), np.arange(MOST_SEEN + 1, dtype=np.float32)
        arrays = (
            np.ascontiguousarray(self.skill_keys, np.uint64), np.ascontiguousarray(self.priors, np.float64),
            self._chunks, self.guess**answers, (1.0 - self.guess) ** answers, (1.0 - self.learns) ** seen,
        )  # fmt: skip
        law = (self.guess, self.span, self.fades, self.prior, len(self.skill_keys))
        object.__setattr__(self, "_kept", (arrays, _CTracing(*law, *map(address, arrays))))

    @property
    def at(self) -> int:
        """Where the kernels read the law."""
        return ctypes.addressof(self._kept[1])

    @property
    def span(self) -> float:
        """How much more often who knows a skill is right than who does not."""
        return 1.0 - self.slip - self.guess

    def prior_of(self, keys: NDArray[np.uint64]) -> Floats:
        """P(known) of skills before any work on them: `(n,)`."""
        place = np.minimum(self.skill_keys.searchsorted(keys), max(len(self.skill_keys) - 1, 0))
        if not len(self.skill_keys):
            return np.full(len(keys), self.prior)
        found: Floats = np.where(self.skill_keys[place] == keys, self.priors[place], self.prior)
        return found

    def known(self, prior: Floats, n: NDArray[Any], recent: NDArray[Any], seen: NDArray[Any]) -> Floats:
        """P(known): `(n,)`, after `n` answers, the last of them the bits `recent`, the newest lowest, and `seen`
        exposures without an answer.
        """
        return self.heard(prior, n, recent, seen)[0]

    def heard(self, prior: Floats, n: NDArray[Any], recent: NDArray[Any], seen: NDArray[Any]) -> tuple[Floats, Floats]:
        """P(known) as above, and how much likelier the answers are of who neither knows the skill nor learns it."""
        p: Floats = 1.0 - (1.0 - prior) * (1.0 - self.learns) ** np.minimum(seen, MOST_SEEN)
        likely: Floats = np.ones(len(p))
        n, recent = np.minimum(n, REMEMBERED).astype(np.int64), recent.astype(np.int64)
        for chunk in (
            self._chunks[np.maximum(n - _HALF, 0), (recent >> _HALF) & _ALL],
            self._chunks[np.minimum(n, _HALF), recent & _ALL],
        ):
            unknown = (1.0 - p) * chunk[:, 0, 0] + p * chunk[:, 1, 0]
            known = (1.0 - p) * chunk[:, 0, 1] + p * chunk[:, 1, 1]
            likely *= unknown + known
            p = known / (unknown + known)
        right = _ONES[recent & 0xFFFF]
        return p, self.guess**right * (1.0 - self.guess) ** (n - right) / likely

    def faded(self, known: Floats, prior: Floats, idle: NDArray[Any]) -> Floats:
        """P(known), `(n,)`, after `idle` steps on something else: what was known above the prior fades towards it."""
        left: Floats = np.minimum(known, prior) + np.maximum(known - prior, 0.0) * np.exp(-self.fades * idle)
        return left

    def pooled(self, traced: Floats, n: NDArray[Any], mastery: Floats) -> Floats:
        """P(known) as the filter has it after `n` answers and as the learner model has it, together: `(n,)`.

        The model knows the learner and the moment, and says most while there are few answers on the skill itself.
        `mastery`: its chance of success on usual items, NaN where it was not asked.
        """
        said = np.clip((mastery - self.guess) / self.span, 0.0, 1.0)
        pool: Floats = np.where(np.isnan(said), traced, (SAID * said + n * traced) / (SAID + n))
        return pool

    def said(
        self,
        prior: Floats,
        n: NDArray[Any],
        recent: NDArray[Any],
        seen: NDArray[Any],
        *,
        idle: NDArray[Any],
        mastery: Floats,
    ) -> Floats:
        """P(known) as `known`, `faded` and `pooled` have it together, but for a wrong answer, which never raises it.

        The filter expects a step to teach, whatever the answer to it was: of the wrong answers since the last right one
        each leaves the least that was said so far, and what was learned meanwhile shows with the next right one.
        """
        n, recent = np.asarray(n, np.int64), np.asarray(recent, np.int64)
        least = self.pooled(self.faded(self.known(prior, n, recent, seen), prior, idle), n, mastery)
        some = np.arange(len(least))
        for back in range(1, REMEMBERED + 1):
            some = some[(n[some] >= back) & ((recent[some] >> (back - 1)) & 1 == 0)]
            if not len(some):
                break
            before = np.minimum(n[some], REMEMBERED) - back
            known = self.known(prior[some], before, recent[some] >> back, seen[some])
            told = self.pooled(self.faded(known, prior[some], idle[some]), n[some] - back, mastery[some])
            least[some] = np.minimum(least[some], told)
        return least

    def of_state(
        self, keys: NDArray[np.uint64], blocks: NDArray[np.void], mastery: Floats, *, n_events: int
    ) -> tuple[Floats, Floats]:
        """P(known) of skills now, and what answers say against their being in reach, as `heard` has it: `(n,)` both.

        `blocks` are those of a learner's state, `n_events` the events in it, `mastery` is the model's word.
        """
        prior, against = self.prior_of(keys), np.ones(len(keys))
        n, recent, seen, idle = np.zeros((4, len(keys)), np.int64)
        if len(blocks) and len(keys):
            order = np.argsort(keys)
            place = np.minimum(keys[order].searchsorted(blocks["key"]), len(keys) - 1)
            met = keys[order][place] == blocks["key"]
            of, theirs = order[place[met]], blocks[met]
            n[of], recent[of], seen[of] = theirs["n"], theirs["recent"], theirs["seen"]
            idle[of] = n_events - 1 - theirs["last_i"]
            against[of] = self.heard(prior[of], n[of], recent[of], seen[of])[1]
        return self.said(prior, n, recent, seen, idle=idle, mastery=mastery), against

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As a bundle carries them."""
        return {"tracing_skill_keys": self.skill_keys, "tracing_priors": self.priors}

    def as_json(self) -> dict[str, float]:
        """As a bundle's settings carry it."""
        return {name: float(getattr(self, name)) for name in _LAWS}


def tracing_from(arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> Tracing:
    """The tracing of a bundle's arrays and of the part of its settings."""
    law = {name: float(settings[name]) for name in _LAWS}
    keys, priors = (np.asarray(arrays[f"tracing_{name}"]) for name in ("skill_keys", "priors"))
    return Tracing(**law, skill_keys=keys, priors=priors)


def step_matrices(guess: float, slip: float, learns: float, loses: float) -> Floats:
    """What a wrong and a right answer, and then the step itself, do to (unknown, known): `(2, 2, 2)`."""
    after = np.array([[1.0 - learns, learns], [loses, 1.0 - loses]])
    return np.stack([np.diag([1.0 - guess, slip]) @ after, np.diag([guess, 1.0 - slip]) @ after])


def _chunks_of(tracing: Tracing) -> Floats:
    """The work of all sequences of up to eight answers at once, by length and bits: `(9, 256, 2, 2)`."""
    step = step_matrices(tracing.guess, tracing.slip, tracing.learns, tracing.loses)
    bits = np.arange(_ALL + 1)
    chunks = np.tile(np.eye(2), (_HALF + 1, len(bits), 1, 1))
    for length in range(1, _HALF + 1):
        chunks[length] = chunks[length - 1][bits >> 1] @ step[bits & 1]
    return chunks


def within_reach(readiness: Floats, against: Floats) -> Floats:
    """How surely a skill is within reach, by what comes before it and by the answers on itself: `(n,)`.

    Bayes' rule: wrong answers upon wrong answers say that something is missing whatever the estimates of what comes
    before, right ones that it is not. Where nothing comes before, nothing is missing.
    """
    reach: Floats = readiness / np.maximum(readiness + (1.0 - readiness) * against, 1e-12)
    return reach


# Middling values of published fits, inside the bounds under which the law keeps its meaning (Baker et al. 2008).
USUAL_TRACING = Tracing(
    guess=0.2,
    slip=0.1,
    learns=0.15,
    loses=0.0,
    fades=0.0,
    prior=0.3,
    skill_keys=np.zeros(0, np.uint64),
    priors=np.zeros(0),
)
