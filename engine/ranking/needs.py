"""What a learner's own state adds to relevance: due reviews, promised checks, and formats as a tie-break."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.learner.mastery import due_reviews
from engine.learner.preferences import Preferences
from engine.learner.state import NO_STYLE, Check, LearnerState
from engine.learner.style import format_shares
from engine.ranking.weights import ObjectiveWeights

TERMS = ("review", "check", "style")
# Below this recall a review weighs all it can.
_FORGOTTEN = 0.7
# Fewer choices than these, or a smaller difference, say nothing of taste.
_LEAST_ENGAGED, _LEAST_TILT = 5.0, 0.02


@dataclass(frozen=True, slots=True)
class Needs:
    """What is due to one learner: recall by skill, promised checks by skill, and the tilt of each format.

    The tilt is what the learner's share of a format has above its usual share, of formats where that is worth a word:
    none for who said nothing and chose little.
    """

    reviews: Mapping[str, float] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    tilts: Mapping[str, float] = field(default_factory=dict)
    declared: tuple[str, ...] = ()

    def most_due(self, skills: Sequence[str]) -> str | None:
        """The skill of these that is most in need of a review; None where none is due."""
        return min((s for s in skills if s in self.reviews), key=lambda s: (self.reviews[s], s), default=None)

    def promised(self, skills: Sequence[str]) -> Check | None:
        """The check promised on one of these skills, the longest waiting first."""
        waiting = [self.checks[s] for s in skills if s in self.checks]
        return min(waiting, key=lambda c: (c.since_us, c.skill_id), default=None)


class Taught(Protocol):
    """What is on offer for each skill; `engine.ranking.learning.Teaching` is one."""

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue."""

    @property
    def answer_rows(self) -> Mapping[str, NDArray[np.int32]]:
        """The rows that teach each skill and of which an answer may be expected."""

    def review_rows(self, skill: str) -> NDArray[np.int32] | None:
        """The rows a review of this skill falls on."""


def needs_of(
    state: LearnerState, preferences: Preferences, format_mix: Mapping[str, float], skills: Sequence[str], now_us: int
) -> Needs:
    """The needs of a learner among the skills that are taught here."""
    seen = state.style if sum(state.style.engaged) >= _LEAST_ENGAGED else NO_STYLE
    usual = format_shares(NO_STYLE, format_mix, now_us)
    shares = format_shares(seen, format_mix, now_us, preferences.formats)
    above = {name: share - usual.get(name, 0.0) for name, share in shares.items()}
    return Needs(
        reviews=due_reviews(state.memories, skills, now_us),
        checks={c.skill_id: c for c in state.checks},
        tilts={name: tilt for name, tilt in above.items() if tilt >= _LEAST_TILT},
        declared=preferences.formats,
    )


def contributions(
    needs: Needs,
    candidates: NDArray[np.int32],
    *,
    teaching: Taught,
    weights: ObjectiveWeights,
) -> NDArray[np.float64]:
    """What each of `TERMS` adds to each candidate's score: `(3, n_candidates)`.

    Only an answer keeps a promised check, so it falls on what is answered; a review does where anything is.
    """
    catalogue = teaching.catalogue
    n = len(catalogue)
    review, check = np.zeros(n), np.zeros(n)
    for skill, recall in needs.reviews.items():
        rows = teaching.review_rows(skill)
        if rows is not None:
            weight = weights.review * min(1.0, (1.0 - recall) / (1.0 - _FORGOTTEN))
            review[rows] = np.maximum(review[rows], weight)
    for skill in needs.checks:
        rows = teaching.answer_rows.get(skill)
        if rows is not None:
            check[rows] = weights.check
    tilts = np.array([needs.tilts.get(name, 0.0) for name in catalogue.formats] + [0.0])
    style = weights.style * tilts[catalogue.format_index]
    result: NDArray[np.float64] = np.vstack([review, check, style])[:, candidates]
    return result
