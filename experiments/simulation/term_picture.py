"""One picture of a term: how often each pair was together, how often each was asked, and what came of it."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.simulation.term import APART, NEWCOMER, OPTED_OUT, N, Term

_FIGURE_INCHES = (13.0, 8.0)


def together(term: Term) -> NDArray[np.int64]:
    """How often each pair was in one group or asked one another: `(N, N)`, symmetric."""
    times = np.zeros((N, N), np.int64)
    for groups in term.rounds:
        for group in groups:
            for i, j in permutations(group, 2):
                times[i, j] += 1
    for _, i, j in term.asked:
        times[i, j] += 1
        times[j, i] += 1
    return times


def draw_term(first: Mapping[str, Term], told: Mapping[str, Sequence[Mapping[str, float]]], into: Path) -> None:
    """Write a PNG: pairs and loads of the first class under both policies, and gains of all classes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_FIGURE_INCHES, layout="constrained")
    panels = figure.subplots(2, 3)
    most = max(int(together(term).max()) for term in first.values())
    for row, (policy, term) in enumerate(first.items()):
        image = panels[row, 0].imshow(together(term), cmap="Blues", vmin=0, vmax=most)
        panels[row, 0].set(title=f"{policy}: times together in a term", xlabel="learner", ylabel="learner")
        panels[row, 0].plot(APART, APART[::-1], "x", color="tab:red", label="kept apart")
        panels[row, 0].legend(loc="upper right")
        figure.colorbar(image, ax=panels[row, 0])
        loads = np.bincount([j for _, _, j in term.asked], minlength=N)
        colours = ["tab:orange" if i == NEWCOMER else "tab:gray" if i == OPTED_OUT else "tab:blue" for i in range(N)]
        panels[row, 1].bar(np.arange(N), loads, color=colours)
        panels[row, 1].set(title=f"{policy}: times asked (newcomer orange)", xlabel="learner", ylabel="times")
    for panel, name in zip(panels[:, 2], ("gain", "helper_load_gini"), strict=True):
        for policy, figures in told.items():
            panel.plot(sorted(one[name] for one in figures), "o-", label=policy)
        panel.set(title=f"{name.replace('_', ' ')}, class by class", xlabel="classes in order", ylabel="")
        panel.legend()
    into.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(into, dpi=110)
