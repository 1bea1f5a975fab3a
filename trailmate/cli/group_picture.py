"""Groups at a glance: the mean of each group, and which rules are broken where."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.collaborators.propose import Proposal
from engine.domain.errors import Unavailable

if TYPE_CHECKING:
    from engine.collaborators.counts import Count

_INK, _PALE, _BROKEN = "#1b6e5a", "#dfe9e6", "#b5462f"
_NAMED = 40


def draw_groups(proposal: Proposal, out: Path) -> None:
    """One panel of means for each balance, with the class mean and the tolerance, and one of all rules by group.

    Raises:
        Unavailable: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise Unavailable("pictures need matplotlib: install trailmate[training], or leave --picture out") from None

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    balances = [count for count in proposal.counts if count.rule.verb == "balance" and count.mean is not None]
    n_groups, n_rules = proposal.layout.n_groups, max(len(proposal.counts), 1)
    figure, axes = plt.subplots(
        len(balances) + 1,
        1,
        figsize=(max(5.0, min(0.28 * n_groups + 2.5, 20.0)), 1.7 * len(balances) + 0.35 * n_rules + 1.2),
        height_ratios=[*[1.7] * len(balances), 0.35 * n_rules + 0.2],
        squeeze=False,
        layout="constrained",
    )
    for panel, count in zip(axes[:, 0], balances, strict=False):
        _draw_means(panel, count, n_groups)
    _draw_breaks(axes[-1, 0], proposal)
    figure.savefig(out, dpi=130, format="png")
    plt.close(figure)


def _draw_means(panel: Any, count: "Count", n_groups: int) -> None:
    assert count.mean is not None
    told = [(g + 1, mean) for g, mean in enumerate(count.means) if mean is not None]
    panel.axhline(count.mean, color=_INK, linewidth=1)
    panel.axhspan(count.mean - count.reach, count.mean + count.reach, color=_PALE)
    colours = [_BROKEN if count.by_group[g - 1] else _INK for g, _ in told]
    panel.scatter([g for g, _ in told], [mean for _, mean in told], c=colours, s=22, zorder=3)
    panel.set(xlim=(0.4, n_groups + 0.6), ylabel=count.rule.by[0], xticks=[])
    panel.set_title(f"group means of {count.rule.by[0]}, spread {count.spread or 0:.3g}", loc="left", fontsize=9)
    panel.spines[["top", "right"]].set_visible(False)


def _draw_breaks(panel: Any, proposal: Proposal) -> None:
    from matplotlib.colors import ListedColormap

    rows = [[min(broken, 1) for broken in count.by_group] for count in proposal.counts]
    n_groups = proposal.layout.n_groups
    panel.imshow(
        rows or [[0] * n_groups], cmap=ListedColormap([_PALE, _BROKEN]), vmin=0, vmax=1, aspect="auto",
        extent=(0.5, n_groups + 0.5, max(len(rows), 1) - 0.5, -0.5), interpolation="nearest",
    )  # fmt: skip
    panel.set_yticks(
        range(len(rows)),
        [f"{' '.join((c.rule.verb, *c.rule.by))}: {c.broken} of {c.of}" for c in proposal.counts],
        fontsize=8,
    )
    panel.vlines(np.arange(1.5, n_groups), -0.5, max(len(rows), 1) - 0.5, color="white", linewidth=1)
    panel.hlines(np.arange(0.5, len(rows) - 1), 0.5, n_groups + 0.5, color="white", linewidth=1)
    if n_groups <= _NAMED:
        panel.set_xticks(range(1, n_groups + 1))
    panel.tick_params(length=0, labelsize=8)
    panel.set_xlabel("group; red where a rule is broken")
    panel.spines[:].set_visible(False)
