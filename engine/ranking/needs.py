"""What a learner's own state adds to relevance: due reviews, promised checks, and formats as a tie-break."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.learner.mastery import due_reviews
from engine.learner.menu import Menu
from engine.learner.preferences import Preferences
from engine.learner.state import NO_STYLE, Check, LearnerState
from engine.learner.style import format_shares, usual_shares
from engine.ranking.weights import ObjectiveWeights

TERMS = ("review", "check", "style")
Ints = NDArray[np.int64]
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


def needs_of(
    state: LearnerState, preferences: Preferences, format_mix: Mapping[str, float], skills: Sequence[str], now_us: int
) -> Needs:
    """The needs of a learner among the skills that are taught here."""
    return Needs(
        reviews=due_reviews(state, skills, now_us),
        checks={c.skill_id: c for c in state.checks},
        tilts=_tilts(state, preferences, format_mix, now_us),
        declared=preferences.formats,
    )


def _tilts(
    state: LearnerState, preferences: Preferences, format_mix: Mapping[str, float], now_us: int
) -> dict[str, float]:
    seen = state.style if sum(state.style.engaged) >= _LEAST_ENGAGED else NO_STYLE
    if seen is NO_STYLE and not preferences.formats:
        return {}
    usual = usual_shares(tuple(format_mix.items()))
    shares = format_shares(seen, format_mix, now_us, preferences.formats)
    above = {name: share - usual.get(name, 0.0) for name, share in shares.items()}
    return {name: tilt for name, tilt in above.items() if tilt >= _LEAST_TILT}


def contributions(
    needs: Needs, menu: Menu, rows: Ints, pairs: tuple[Ints, Ints], *, weights: ObjectiveWeights
) -> NDArray[np.float64]:
    """What each of `TERMS` adds to the score of each of these rows of the menu: `(3, n_rows)`.

    `pairs` are the rows' places with each of their skills. Only an answer keeps a promised check, so it falls on what
    is answered; so does a review where anything that teaches its skill is.
    """
    place, skill = pairs
    added = np.zeros((len(TERMS), len(rows)))
    for term, of_skill in enumerate((_weights_of(needs, weights), dict.fromkeys(needs.checks, weights.check))):
        known = {menu.number[s]: weight for s, weight in of_skill.items() if s in menu.number}
        if known:
            weight = np.zeros(len(menu.skills))
            weight[list(known)] = list(known.values())
            told = _telling(term, menu, rows[place], skill)
            np.maximum.at(added[term], place[told], weight[skill[told]])
    if needs.tilts:
        tilts = np.array([needs.tilts.get(name, 0.0) for name in menu.format_names])
        added[2] = weights.style * tilts[menu.format_index[rows]]
    return added


def _telling(term: int, menu: Menu, rows: Ints, skills: Ints) -> NDArray[np.bool_]:
    """Which of these pairs of a row and a skill a review or a check falls on: `(n_pairs,)`."""
    answerable: NDArray[np.bool_] = menu.answerable[rows]
    if TERMS[term] == "review" and not answerable.all():
        answerable = answerable | np.array([not len(menu.answering(k)) for k in skills.tolist()], bool)
    return answerable


def _weights_of(needs: Needs, weights: ObjectiveWeights) -> dict[str, float]:
    return {s: weights.review * min(1.0, (1.0 - r) / (1.0 - _FORGOTTEN)) for s, r in needs.reviews.items()}
