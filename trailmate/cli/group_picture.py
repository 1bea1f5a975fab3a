"""Groups at a glance: the mean of each group, and which rules are broken where."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.collaborators.proposals import Proposal
from engine.domain.errors import Unavailable

if TYPE_CHECKING:
    from engine.collaborators.counts import Count

_INK, _PALE, _BROKEN, _LINE = "#1b6e5a", "#dfe9e6", "#b5462f", "#20302c"
_LETTERS = 36
# So many groups have a number below their column; of more than the second, shares are drawn instead of columns.
_NAMED, _COLUMNS = 40, 80
_WIDTH, _LEGEND = 5.6, 0.3


def draw_groups(proposal: Proposal, out: Path) -> None:
    """One panel of means for each balance, with the class mean and the tolerance, and one of all rules by group.

    Of very many groups each panel shows how many there are: how means are spread, how many break a rule.

    Raises:
        Unavailable: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise Unavailable("pictures need matplotlib: install trailmate[training], or leave --picture out") from None

    matplotlib.use("Agg")
    # A name in a file may hold a $, which is no formula.
    with matplotlib.rc_context({"text.parse_math": False}):
        _draw(proposal, out)


def _draw(proposal: Proposal, out: Path) -> None:
    import matplotlib.pyplot as plt

    balances = [count for count in proposal.counts if count.rule.verb == "balance" and count.mean is not None]
    n_groups, n_rules = proposal.layout.n_groups, max(len(proposal.counts), 1)
    many = n_groups > _COLUMNS
    heights = [*[1.7] * len(balances), 0.35 * n_rules + 0.2]
    width = _WIDTH + 2.0 if many else max(_WIDTH, min(0.28 * n_groups + 3.2, 20.0))
    figure, axes = plt.subplots(
        len(heights), 1, figsize=(width, sum(heights) + 1.0 + _LEGEND), height_ratios=heights, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for panel, count in zip(axes[:, 0], balances, strict=False):
        (_draw_spread if many else _draw_means)(panel, count, n_groups)
    (_draw_shares if many else _draw_breaks)(axes[-1, 0], proposal)
    _draw_legend(figure, means=bool(balances), many=many)
    figure.savefig(out, dpi=130, format="png")
    plt.close(figure)


def _draw_means(panel: Any, count: "Count", n_groups: int) -> None:
    assert count.mean is not None
    told = [(g + 1, mean) for g, mean in enumerate(count.means) if mean is not None]
    panel.axhline(count.mean, color=_LINE, linewidth=1.2)
    panel.axhspan(count.mean - count.reach, count.mean + count.reach, color=_PALE)
    colours = [_BROKEN if count.by_group[g - 1] else _INK for g, _ in told]
    panel.scatter([g for g, _ in told], [mean for _, mean in told], c=colours, s=22, zorder=3)
    # The same ends as the columns below, so that each dot stands over its own.
    panel.set(xlim=(0.5, n_groups + 0.5), xticks=[])
    panel.set_ylabel(count.rule.by[0], fontsize=8)
    _entitle(panel, count)


def _draw_spread(panel: Any, count: "Count", _n_groups: int) -> None:
    """How many groups have which mean; those beyond the tolerance in red."""
    assert count.mean is not None
    within = [mean for mean, broken in zip(count.means, count.by_group, strict=True) if mean is not None and not broken]
    beyond = [mean for mean, broken in zip(count.means, count.by_group, strict=True) if mean is not None and broken]
    edges = np.histogram_bin_edges([*within, *beyond], bins=30)
    panel.axvspan(count.mean - count.reach, count.mean + count.reach, color=_PALE)
    panel.hist([within, beyond], bins=edges, stacked=True, color=[_INK, _BROKEN], zorder=2)
    panel.axvline(count.mean, color=_LINE, linewidth=1.2, zorder=3)
    panel.set_ylabel("groups", fontsize=8)
    panel.set_xlabel(f"mean of {count.rule.by[0]}", fontsize=8)
    _entitle(panel, count)


def _entitle(panel: Any, count: "Count") -> None:
    panel.set_title(
        f"{count.rule.index}  group means of {count.rule.by[0]}, spread {count.spread or 0:.3g}", loc="left", fontsize=9
    )
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def rule_label(count: "Count") -> str:
    """A rule by its index, what it is by and its strength, so that two of one verb are told apart."""
    rule = count.rule
    by = ", ".join((*rule.by, *rule.values)) or (f"group {rule.group}" if rule.verb == "lock" else "")
    about = f"{rule.index}  {rule.verb} {by if len(by) <= _LETTERS else by[:_LETTERS] + '…'}".rstrip()
    return f"{about} ({'hard' if rule.hard else 'soft'}): {count.broken} of {count.of}"


def _draw_breaks(panel: Any, proposal: Proposal) -> None:
    from matplotlib.colors import ListedColormap

    rows = [[min(broken, 1) for broken in count.by_group] for count in proposal.counts]
    n_groups = proposal.layout.n_groups
    panel.imshow(
        rows or [[0] * n_groups], cmap=ListedColormap([_PALE, _BROKEN]), vmin=0, vmax=1, aspect="auto",
        extent=(0.5, n_groups + 0.5, max(len(rows), 1) - 0.5, -0.5), interpolation="nearest",
    )  # fmt: skip
    _label_rules(panel, proposal)
    panel.vlines(np.arange(1.5, n_groups), -0.5, max(len(rows), 1) - 0.5, color="white", linewidth=1)
    panel.hlines(np.arange(0.5, len(rows) - 1), 0.5, n_groups + 0.5, color="white", linewidth=1)
    if n_groups <= _NAMED:
        panel.set_xticks(range(1, n_groups + 1))
    panel.set_xlabel("group", fontsize=8)


def _draw_shares(panel: Any, proposal: Proposal) -> None:
    """In how many of the groups each rule is broken."""
    n_groups, places = proposal.layout.n_groups, range(len(proposal.counts))
    panel.barh(places, [n_groups] * len(places), color=_PALE, height=0.8)
    panel.barh(
        places, [sum(broken > 0 for broken in count.by_group) for count in proposal.counts], color=_BROKEN, height=0.8
    )
    _label_rules(panel, proposal)
    panel.set(xlim=(0, n_groups), ylim=(max(len(places), 1) - 0.5, -0.5))
    panel.set_xlabel(f"of {n_groups} groups", fontsize=8)


def _label_rules(panel: Any, proposal: Proposal) -> None:
    panel.set_yticks(range(len(proposal.counts)), [rule_label(count) for count in proposal.counts], fontsize=8)
    for label, count in zip(panel.get_yticklabels(), proposal.counts, strict=True):
        label.set_fontweight("bold" if count.rule.hard else "normal")
    panel.tick_params(length=0, labelsize=8)
    panel.spines[:].set_visible(False)


def _draw_legend(figure: Any, *, means: bool, many: bool) -> None:
    """What the colours say."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    told: list[Any] = [
        Patch(color=_BROKEN, label="groups that break the rule" if many else "broken in this group"),
        Patch(color=_PALE, label="kept; of means: within the tolerance" if means else "kept"),
    ]
    if means:
        told.append(Line2D([], [], color=_LINE, linewidth=1.2, label="class mean"))
    figure.legend(handles=told, loc="outside lower left", ncols=len(told), fontsize=8, frameon=False)
