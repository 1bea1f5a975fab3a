"""How evenly company and helping are spread over time: repeats, loads, and who was left alone."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.contacts import DAY_US, HELPED, TOGETHER, Contacts

# Nobody to learn with in so many days is told the teacher, where others of the class had somebody.
ALONE_DAYS = 28


def gini(loads: NDArray[np.float64]) -> float:
    """How unevenly loads are spread: 0 where all carry the same, near 1 where one carries everything."""
    ordered = np.sort(np.asarray(loads, np.float64))
    total = float(ordered.sum())
    if not len(ordered) or total <= 0:
        return 0.0
    n = len(ordered)
    return float(((2 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (n * total))


def repeat_rate(rounds: Sequence[Sequence[Sequence[int]]], *, within: int = 3) -> float:
    """The share of pairs put together that were together already in one of the last `within` rounds."""
    repeats = pairs = 0
    before: list[set[tuple[int, int]]] = []
    for groups in rounds:
        now = {tuple(sorted(pair)) for group in groups for pair in combinations(group, 2)}
        told = {(int(a), int(b)) for a, b in now}
        if before:
            pairs += len(told)
            repeats += len(told & set().union(*before[-within:]))
        before.append(told)
    return repeats / pairs if pairs else 0.0


def alone(contacts: Contacts, members: Sequence[int], now_us: int) -> list[int] | None:
    """Those of a class nobody had to do with lately, by row; None where most of the class had nobody.

    Then too little is told of who learned with whom to say who is alone.
    """
    real = contacts.of_kind(HELPED, TOGETHER)
    real = real.where((real.at_us > now_us - ALONE_DAYS * DAY_US) & (real.at_us <= now_us))
    met = np.zeros(contacts.n, bool)
    met[real.who] = True
    met[real.whom] = True
    left = [row for row in sorted(members) if not met[row]]
    return left if 2 * len(left) < len(members) else None
