"""Whether a peer that is offered will be accepted: told with and without what happened before, in invented classes."""

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.affinity import USUAL, likely
from engine.collaborators.contacts import DAY_US, HELPED, NO, TOGETHER, WEEK_US, YES, contacts_from
from experiments.bench.who_answers import interval

Floats = NDArray[np.float64]

_N, _WEEKS, _KNOWN_WEEKS, _OFFERS = 28, 16, 10, 3
_NOW_US = 20_000 * DAY_US
Line = tuple[int, int, int, int, float]


def acceptance(n_classes: int = 60) -> str:
    """AUC over the offers of the last weeks, by class, and paired differences with 95 % intervals, in Markdown."""
    told = np.array([aucs(seed) for seed in range(n_classes)])
    rows = ["| told by | AUC | trailmate over it |", "|--|--:|--:|"]
    for k, name in enumerate(("trailmate", "how welcome the peer is to all", "who helped most", "no history")):
        mean, low, high = interval(told[:, 0] - told[:, k])
        rows.append(f"| {name} | {told[:, k].mean():.3f} | {f'{mean:+.3f} ({low:+.3f} to {high:+.3f})' if k else ''} |")
    return "\n".join(rows)


def aucs(seed: int) -> tuple[float, float, float, float]:
    """One class: offers by chance, yes where two suit each other and the other is liked, work and outcomes after a yes.

    Weeks up to the tenth are known, the offers of the later ones are to be told.
    """
    rng = np.random.default_rng([seed, 7])
    suits = rng.normal(0, 1.0, (_N, _N))
    suits = (suits + suits.T) / np.sqrt(2)
    liked = rng.normal(0, 0.7, _N)
    lines: list[Line] = []
    later: list[tuple[int, int, bool]] = []
    for week in range(_WEEKS):
        for i in range(_N):
            for j in rng.choice(np.delete(np.arange(_N), i), _OFFERS, replace=False):
                yes = bool(rng.random() < 1.0 / (1.0 + np.exp(-(suits[i, j] + liked[j]))))
                if week >= _KNOWN_WEEKS:
                    later.append((i, int(j), yes))
                else:
                    lines += _happened(
                        rng, i, int(j), yes, float(suits[i, j]), _NOW_US - (_KNOWN_WEEKS - week) * WEEK_US
                    )
    contacts = contacts_from(_N, lines)
    scores = np.array([likely(USUAL, contacts, i, _NOW_US) for i in range(_N)])
    said = np.array([k == YES for *_, k, _ in lines]), np.array([k in (YES, NO) for *_, k, _ in lines])
    whom = np.array([line[1] for line in lines])
    yes_of, all_of = (np.bincount(whom[mask], minlength=_N) for mask in said)
    helps = np.bincount(contacts.of_kind(HELPED).who, minlength=_N).astype(np.float64)
    truth = np.array([yes for *_, yes in later])
    ways = (
        [scores[i, j] for i, j, _ in later],
        [(yes_of[j] + 2.0) / (all_of[j] + 4.0) for _, j, _ in later],
        [helps[j] for _, j, _ in later],
        [0.5 for _ in later],
    )
    first, second, third, fourth = (auc(np.array(way), truth) for way in ways)
    return first, second, third, fourth


def auc(scores: Floats, truth: NDArray[np.bool_]) -> float:
    """The chance that a yes is scored above a no; ties count half."""
    yes, no = scores[truth], np.sort(scores[~truth])
    below = np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")
    return float(below.mean() / 2.0 / len(no))


def _happened(rng: np.random.Generator, i: int, j: int, yes: bool, suits: float, at_us: int) -> list[Line]:
    lines: list[Line] = [(i, j, at_us, YES if yes else NO, float("nan"))]
    if yes:
        outcome = float(np.clip(0.5 + 0.15 * suits + rng.normal(0, 0.15), 0, 1))
        lines += [
            (i, j, at_us, TOGETHER, outcome),
            (j, i, at_us, TOGETHER, outcome),
            (j, i, at_us, HELPED, float("nan")),
        ]
    return lines
