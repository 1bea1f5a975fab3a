"""What learners gain under each policy in each own world, the held-out ones too: a table and a picture."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.judging.judge import Trial, judged
from experiments.judging.metrics import interval
from experiments.judging.setup import POLICIES, Schooling, prepared
from experiments.judging.world import world_of

OWN = ("half_life", "knowledge_space", "slips_and_guesses")
HELD_OUT = ("power_law", "expertise_reversal")
STEPS, SEED = 20, 0
Results = Mapping[str, Mapping[str, Mapping[str, Any]]]


def learning(work: Path, *, n_learners: int) -> str:
    """Every policy on every world, Trailmate trained once on each: a table in Markdown; `learning.png` is in `work`."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    results = {name: _on_world(name, work / name, n_learners) for name in (*OWN, *HELD_OUT)}
    draw(results, work / "learning.png")
    return f"{table(results)}\n\n{verdict(results)}\n\nPicture: {work / 'learning.png'}"


def table(results: Results) -> str:
    """One row for each policy of each world; shares of what the one-step oracle reaches."""
    rows = [
        "| world | policy | gain [95 %] | gain a minute, % [95 %] | of oracle's gain | of oracle's a minute "
        "| harmed | gap of thirds |",
        "|--|--|--|--|--:|--:|--:|--:|",
    ]
    for world, by_policy in results.items():
        oracle = by_policy["oracle"]
        for policy, told in sorted(by_policy.items(), key=lambda row: -row[1]["gain_per_minute"]["mean"]):
            shares = [told[m]["mean"] / oracle[m]["mean"] for m in ("gain", "gain_per_minute")]
            rows.append(
                f"| {world} | {policy} | {_cell(told['gain'], 1)} | {_cell(told['gain_per_minute'], 100)} "
                f"| {shares[0]:.2f} | {shares[1]:.2f} | {told['harmed']:.1%} | {told['tertiles']['gap']:.3f} |"
            )
    return "\n".join(rows)


def verdict(results: Results) -> str:
    """For each world Trailmate against the best of the peers, learner by learner; the worst world is said last."""
    lines, shares = [], {}
    for world, by_policy in results.items():
        peers = [p for p in by_policy if p not in ("trailmate", "oracle")]
        best = max(peers, key=lambda p: by_policy[p]["gain_per_minute"]["mean"])
        ahead = per_minute(by_policy["trailmate"]) - per_minute(by_policy[best])
        lines.append(f"- {world}: trailmate less {best}, % a minute: {_cell(interval(ahead.tolist(), seed=SEED), 100)}")
        shares[world] = (
            by_policy["trailmate"]["gain_per_minute"]["mean"] / by_policy["oracle"]["gain_per_minute"]["mean"]
        )
    worst = min(shares, key=lambda w: shares[w])
    return "\n".join([*lines, f"- worst: {worst}, {shares[worst]:.2f} of the one-step oracle's gain a minute"])


def per_minute(told: Mapping[str, Any]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Gain a minute of each learner; every policy taught the same ones in the same order."""
    return np.array([x["gain"] / x["minutes"] for x in told["learners"]])


def draw(results: Results, place: Path) -> None:
    """A panel for each world, a bar for each policy, its interval on it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(results), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (world, by_policy) in enumerate(results.items()):
        axes = figure.add_subplot(1, len(results), number + 1)
        order = sorted(by_policy, key=lambda p: by_policy[p]["gain_per_minute"]["mean"])
        told = [by_policy[p]["gain_per_minute"] for p in order]
        means = [100 * t["mean"] for t in told]
        spread = [[100 * (t["mean"] - t["low"]) for t in told], [100 * (t["high"] - t["mean"]) for t in told]]
        colours = ["#d1495b" if p == "trailmate" else "#c0c0c0" if p == "oracle" else "#7aa5c9" for p in order]
        axes.barh(order, means, xerr=spread, color=colours)
        axes.set_title(world.replace("_", " ") + (" (held out)" if world in HELD_OUT else ""), fontsize=9)
        axes.set_xlabel("% of the possible gain a minute", fontsize=8)
        axes.tick_params(labelsize=8)
    figure.savefig(place, dpi=120)


def _on_world(name: str, place: Path, n_learners: int) -> dict[str, dict[str, Any]]:
    world = world_of(f"experiments.worlds.{name}:world")
    schooling = Schooling(seed=SEED, bundle=place / "bundle")
    place.mkdir(parents=True)
    results = {}
    for policy in POLICIES:
        choices, policy_for, _ = prepared(policy, world, schooling, _silent)
        trial = Trial(policy=policy, world=name, n_learners=n_learners, n_steps=STEPS, seed=SEED)
        results[policy] = judged(trial, world, choices, policy_for, _silent)
    return results


def _silent(_what: str, _share: float) -> None:
    """A bench prints its tables only."""


def _cell(told: Mapping[str, float | None], factor: float) -> str:
    mean, low, high = (factor * (told[name] or 0.0) for name in ("mean", "low", "high"))
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"
