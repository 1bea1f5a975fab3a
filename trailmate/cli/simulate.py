"""`trailmate simulate`: how much learners of a simulated world gain under a policy."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from trailmate.cli.progress import progress_bar, say

_TRAINING_SHARE = 0.7


def simulate(  # noqa: PLR0913 - one argument for each option of the command
    world: Annotated[str, typer.Option(help="MODULE:FACTORY; PYTHONPATH and the current folder are looked through.")],
    policy: Annotated[
        str,
        typer.Option(
            help="trailmate, random, popularity, planned_order, mastery_threshold, zpdes, ready_walk or oracle."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where the result goes, as JSON.")],
    learners: Annotated[int, typer.Option(min=1, max=10**6, help="How many learners are taught.")] = 200,
    steps: Annotated[int, typer.Option(min=1, help="How many resources each of them works through.")] = 20,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the log, the learners and the draws.")] = 0,
    bundle: Annotated[
        Path | None, typer.Option(help="Keep what was trained here, and take it from here the next time.")
    ] = None,
    train_learners: Annotated[int, typer.Option(min=1, help="Of how many learners the world's log is.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Teach the learners of a simulated world under a policy, and measure what they gain.

    The learners are the same for every policy. docs/simulate.md tells how to write a world and read the result.

    Example: trailmate simulate --world experiments.worlds.half_life:world --policy zpdes --out result.json
    """
    from experiments.judging.judge import Trial, judged
    from experiments.judging.setup import POLICIES, Schooling, prepared
    from experiments.judging.world import gain_of, learner_of, world_of

    if policy not in POLICIES:
        raise typer.BadParameter(f"choose one of {', '.join(POLICIES)}", param_hint="--policy")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"{out.parent} is not a folder: make it first", param_hint="--out")
    found = world_of(world)
    if policy == "oracle":
        gain_of(learner_of(found, 0))
    trial = Trial(policy=policy, world=world, n_learners=learners, n_steps=steps, seed=seed)
    schooling = Schooling(seed=seed, n_learners=train_learners, bundle=bundle)
    before = _TRAINING_SHARE if policy == "trailmate" else 0.0
    with progress_bar() as report:
        choices, policy_for, version = prepared(policy, found, schooling, lambda w, s: report(w, before * s))
        result = judged(trial, found, choices, policy_for, lambda w, s: report(w, before + (1 - before) * s))
    result["bundle"] = version
    aside = out.with_name(f".{out.name}.incoming")
    aside.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    aside.replace(out)
    say(result, as_json=as_json, text="" if as_json else _in_words(result, out))


def _in_words(result: dict[str, Any], out: Path) -> str:
    if not result["learners"]:
        return f"Every learner knew all of the goal at the start, so nobody could gain. Written to {out}."
    thirds = result["tertiles"]
    lines = [
        f"{result['policy']} on {result['world']}: {len(result['learners'])} learners"
        + (f", {result['left_out']} left out who knew all at the start" if result["left_out"] else ""),
        *(
            f"  {name:<16} {_number(cell['mean'])} [{_number(cell['low'])}, {_number(cell['high'])}]"
            for name, cell in ((n, result[n]) for n in ("gain", "gain_per_step", "gain_per_minute"))
        ),
        f"  {'harmed':<16} {result['harmed']:.1%}",
        f"  gain by start    {', '.join(f'{n} {_number(thirds[n])}' for n in ('low', 'middle', 'high', 'gap'))}",
        f"Everything, learner by learner: {out}",
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
