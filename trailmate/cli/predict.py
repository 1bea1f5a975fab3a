"""`trailmate predict`: how likely each attempt succeeds, and how long it takes."""

from pathlib import Path
from typing import Annotated

import typer

from trailmate.cli.progress import progress_bar, say
from trailmate.cli.tables import require_writable, written


def predict(
    bundle: Annotated[Path, typer.Argument(help="The folder of the bundle.")],
    attempts: Annotated[Path, typer.Argument(help="row_id, learner_id, resource_id or item_id, skills, at or order.")],
    out: Annotated[Path, typer.Option(help="Parquet, CSV or JSONL, by its ending.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Write row_id, p of success, and mean and spread of the natural log of seconds; one row for each row.

    Example: trailmate predict ./bundle ./attempts.parquet --out predictions.parquet
    """
    from engine.domain.errors import BadInput
    from training.prediction import predict_file

    require_writable(out)
    if out.resolve() == attempts.resolve():
        raise BadInput(f"{out} is the file of attempts itself: name another file with --out")
    with progress_bar() as report:
        predicted = predict_file(bundle, attempts, report=report)
    form = written(predicted.rows, out)
    mended = "".join(f" {n} {what}." for what, n in predicted.mended.items())
    say(
        {"rows": len(predicted.rows), "mended": predicted.mended, "out": str(out)},
        as_json=as_json,
        text=f"{len(predicted.rows)} predictions written to {out} as {form}.{mended}",
    )
