"""Predictions at a glance: are the probabilities true, and for whom are they less so."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from training.learner_evaluation import Cell, LearnerEvaluation

_INK, _PALE = "#1b6e5a", "#9bb8b0"


def draw_learner_evaluation(evaluation: LearnerEvaluation, out: Path) -> list[Path]:
    """The reliability diagram, and the error by third of gain, as PNGs in the folder `out`; those that say anything."""
    drawn = []
    if evaluation.bins:
        _draw_reliability(evaluation.bins, out / "reliability.png")
        drawn.append(out / "reliability.png")
    if any(cell.get("answers") for cell in evaluation.by_gain.values()):
        _draw_thirds(evaluation, out / "error-by-gain.png")
        drawn.append(out / "error-by-gain.png")
    return drawn


def _draw_reliability(bins: list[dict[str, float]], out: Path) -> None:
    """Observed against predicted by bin, and below how many answers each bin holds."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(5, 6), sharex=True, height_ratios=[4, 1], layout="constrained")
    above.plot([0, 1], [0, 1], color=_PALE, linewidth=1)
    above.plot([b["predicted"] for b in bins], [b["observed"] for b in bins], "o-", color=_INK)
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="observed share of successes")
    above.set_title("On the line, a predicted 70 % comes true 70 times in 100", loc="left", fontsize=10)
    bars = below.bar([b["from"] for b in bins], [b["answers"] for b in bins], 0.095, color=_PALE, align="edge")
    below.bar_label(bars, fontsize=7)
    below.set(xlabel="predicted probability", ylabel="answers")
    below.margins(y=0.3)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    _save(figure, out)


def _draw_thirds(evaluation: LearnerEvaluation, out: Path) -> None:
    """Log-loss and bias of each third with their intervals; thirds of too few learners stay empty."""
    figure, panels = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained", sharey=True)
    for axes, name, words in zip(panels, ("log_loss", "bias"), ("log-loss", "predicted minus observed"), strict=True):
        for place, cell in enumerate(evaluation.by_gain.values()):
            _draw_interval(axes, place, cell, name)
        axes.set_xlabel(words)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Error by how far answers rose over the log (95 % intervals over learners)", fontsize=10)
    panels[1].axvline(0, color=_PALE, linewidth=1)
    panels[0].set_yticks(range(len(evaluation.by_gain)), [f"gain: {name}" for name in evaluation.by_gain])
    panels[0].set_ylim(-0.5, len(evaluation.by_gain) - 0.5)
    _save(figure, out)


def _draw_interval(axes: plt.Axes, place: int, cell: Cell, name: str) -> None:
    section = cell.get("answers")
    if section is None:
        return
    metric = section.metrics[name]
    spread = [[max(metric.value - metric.low, 0.0)], [max(metric.high - metric.value, 0.0)]]
    axes.errorbar(metric.value, place, xerr=spread, fmt="o", color=_INK, capsize=3)


def _save(figure: plt.Figure, out: Path) -> None:
    # Without the software's version and the date the same numbers draw the same bytes.
    figure.savefig(out, dpi=110, metadata={"Software": None})
    plt.close(figure)
