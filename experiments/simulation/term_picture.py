"""One picture of a term: how often each pair was together, how often each was asked, and what came of it."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from experiments.simulation.term import APART, NEWCOMER, OPTED_OUT, N, Term

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
    pairs = {policy: together(term) for policy, term in first.items()}
    loads = {policy: np.bincount([j for _, _, j in term.asked], minlength=N) for policy, term in first.items()}
    most, most_asked = (max(int(one.max()) for one in several.values()) for several in (pairs, loads))
    colours = ["tab:orange" if i == NEWCOMER else "tab:gray" if i == OPTED_OUT else "tab:blue" for i in range(N)]
    for row, policy in enumerate(first):
        image = panels[row, 0].imshow(pairs[policy], cmap="Blues", vmin=0, vmax=most)
        panels[row, 0].plot(APART, APART[::-1], "x", color="tab:red")
        title = f"{policy}: times together in a term\n(red: kept apart)"
        panels[row, 0].set(title=title, xlabel="learner", ylabel="learner")
        figure.colorbar(image, ax=panels[row, 0])
        panels[row, 1].bar(np.arange(N), loads[policy], color=colours)
        title = f"{policy}: times asked\n(orange: newcomer)"
        panels[row, 1].set(title=title, xlabel="learner", ylabel="times", ylim=(0, 1.05 * max(most_asked, 1)))
    for panel, name in zip(panels[:, 2], ("gain", "helper_load_gini"), strict=True):
        _draw_classes(panel, name, {policy: [one[name] for one in figures] for policy, figures in told.items()})
    into.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(into, dpi=110)


def _draw_classes(panel: "Axes", name: str, told: Mapping[str, Sequence[float]]) -> None:
    """Each class under every policy, one dot each: classes are no course of time, so no line joins them."""
    from matplotlib.ticker import MaxNLocator

    for policy, values in told.items():
        panel.plot(range(1, len(values) + 1), values, "o", label=policy)
    n = max(map(len, told.values()))
    panel.set(title=f"{name.replace('_', ' ')}, class by class", xlabel="class", xlim=(0.5, n + 0.5))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    # Beside the panel, where it covers nothing.
    panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
