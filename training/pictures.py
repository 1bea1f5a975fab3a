"""A training run at a glance, for people who would rather look than read."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from training.evaluation import Evaluation

_BLEND, _SINGLE = "#1b6e5a", "#9bb8b0"


def draw_evaluation(evaluation: Evaluation, out: Path) -> None:
    """NDCG@10 of the blend and of each model alone, with their intervals, as a PNG."""
    rows = sorted(evaluation.metrics.items(), key=lambda row: row[1]["ndcg@10"]["mean"])
    figure, axes = plt.subplots(figsize=(7, 0.35 * len(rows) + 1.5), layout="constrained")
    for place, (name, metrics) in enumerate(rows):
        ndcg = metrics["ndcg@10"]
        spread = [[ndcg["mean"] - ndcg["low"]], [ndcg["high"] - ndcg["mean"]]]
        axes.barh(place, ndcg["mean"], xerr=spread, color=_BLEND if name == "blend" else _SINGLE, capsize=2)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_xlabel("NDCG@10 on what learners took up later (95 % interval over learners)")
    axes.set_title(f"{evaluation.n_learners} learners, all candidates ranked", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    # Without the software's version and the date the same run draws the same bytes.
    figure.savefig(out, dpi=110, metadata={"Software": None})
    plt.close(figure)
