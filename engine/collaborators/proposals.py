"""What a search for groups comes to: proposals, which of them go first, and which differ enough to choose from."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from engine.collaborators.counts import Count, Groups
from engine.collaborators.spec import Layout

CLOSE = 1e-9
# Two proposals that put more than this share of pairs together alike are told as one.
_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class Proposal:
    """One grouping: `(n,)` group numbers from 0, how each rule fares, and what that comes to.

    `place`: of its layout among those the size allows.
    """

    groups: Groups
    layout: Layout
    counts: tuple[Count, ...]
    objective: float
    broken: float
    place: int = 0


@dataclass(frozen=True, slots=True)
class Grouping:
    """The proposals, the best first; none has a smaller objective than `bound`.

    `seconds` as the clock told, `first_seconds` until the first proposal stood. `limited`: the clock, not the work,
    ended the search, so another machine may find other groups. `n_wanted`: so many proposals were asked for; `n_exist`:
    so many groupings keep the hard rules, where all were looked at.
    """

    proposals: tuple[Proposal, ...]
    bound: float
    seconds: float
    first_seconds: float
    steps: int
    seed: int
    limited: bool
    n_wanted: int = 1
    n_exist: int | None = None

    @property
    def proved(self) -> bool:
        """There is no better grouping than the first."""
        return self.proposals[0].objective <= self.bound + CLOSE


def rank(one: Proposal) -> tuple[float, float, int, bytes]:
    """What proposals are sorted by: breaks, then what is finer, then what the size says first."""
    return round(one.broken, 9), round(one.objective, 9), one.place, one.groups.tobytes()


def differs(one: Proposal, others: Iterable[Proposal]) -> bool:
    """Whether a proposal is more than another form of one of these."""
    return all(_alike(one.groups, other.groups) <= _ALIKE for other in others)


def differing(found: Iterable[Proposal], wanted: int) -> list[Proposal]:
    """The best, then the best of those that differ from it and from one another, at most so many."""
    chosen = list[Proposal]()
    for one in sorted(found, key=rank):
        if len(chosen) == wanted:
            break
        if differs(one, chosen):
            chosen.append(one)
    return chosen


def chosen_of(found: Iterable[Proposal], wanted: int) -> tuple[Proposal, ...]:
    """Those that differ, and like ones where none is left; the best first."""
    several = sorted(found, key=rank)
    chosen = differing(several, wanted)
    similar = [one for one in several if all(one is not other for other in chosen)]
    return tuple(sorted(chosen + similar[: wanted - len(chosen)], key=rank))


def _alike(one: Groups, other: Groups) -> float:
    """The share of pairs of one grouping that the other has too."""
    sizes, shared = np.bincount(one), np.bincount(one.astype(np.int64) * (int(other.max()) + 1) + other)
    pairs = int((sizes * (sizes - 1)).sum())
    return int((shared * (shared - 1)).sum()) / pairs if pairs else 1.0
