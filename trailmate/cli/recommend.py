"""`trailmate recommend`: what a bundle recommends to the learners of a log."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trailmate.cli.progress import progress_bar, say
from trailmate.cli.tables import require_writable, table_at, written

if TYPE_CHECKING:
    from training.batch import Wanted

AsOf = Annotated[
    datetime | None,
    typer.Option(help="Every learner's clock, UTC where it names no zone; default: the log's last time."),
]


def recommend(  # noqa: PLR0913 - one argument for each option of the command
    bundle: Annotated[Path, typer.Argument(help="The folder of the bundle.")],
    log: Annotated[Path, typer.Argument(help="The folder of the log.")],
    out: Annotated[Path, typer.Option(help="Parquet, CSV or JSONL, by its ending.")],
    learners: Annotated[str, typer.Option(help="`all`, or a file with learner_id and perhaps as_of.")] = "all",
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="How many at the most for each learner.")] = 10,
    objective: Annotated[str, typer.Option(help="learning (a varied slate) or uptake (plain relevance).")] = "learning",
    candidates: Annotated[Path | None, typer.Option(help="A file with learner_id and resource_id.")] = None,
    as_of: AsOf = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Write learner_id, resource_id, rank and score.

    Example: trailmate recommend ./bundle ./log --learners all --k 10 --out recommendations.parquet
    """
    from engine.domain.decision import OBJECTIVES
    from training.batch import recommend_log

    if objective not in OBJECTIVES:
        raise typer.BadParameter(f"choose one of {', '.join(OBJECTIVES)}", param_hint="--objective")
    require_writable(out)
    moment = as_of.replace(tzinfo=as_of.tzinfo or UTC) if as_of else None
    wanted = _wanted(learners, candidates, log)
    with progress_bar() as report:
        rows = recommend_log(bundle, log, wanted, k=k, objective=objective, as_of=moment, report=report)
    form = written(rows, out)
    n_learners = rows["learner_id"].n_unique()
    say(
        {"learners": n_learners, "rows": len(rows), "out": str(out)},
        as_json=as_json,
        text=f"{len(rows)} recommendations for {n_learners} learners written to {out} as {form}.",
    )


def _wanted(learners: str, candidates: Path | None, log: Path) -> "Wanted | None":
    import polars as pl

    from training.batch import Wanted, everyone
    from training.log import read_log

    if learners == "all" and candidates is None:
        return None
    ids = dict.fromkeys(everyone(read_log(log))) if learners == "all" else _moments(Path(learners))
    if candidates is None:
        return Wanted(ids, None)
    rows = table_at(candidates, ["learner_id", "resource_id"])
    grouped = rows.group_by("learner_id", maintain_order=True).agg(pl.col("resource_id"))
    return Wanted(ids, {learner_id: tuple(named) for learner_id, named in grouped.iter_rows()})


def _moments(path: Path) -> dict[str, datetime | None]:
    import polars as pl

    from engine.domain.errors import BadInput

    rows = table_at(path, ["learner_id"])
    if rows["learner_id"].is_duplicated().any():
        raise BadInput(f"{path} names a learner twice: name each once")
    if "as_of" not in rows.columns:
        return dict.fromkeys(rows["learner_id"].to_list())
    at = pl.col("as_of")
    if rows["as_of"].dtype == pl.String:
        at = at.str.to_datetime(time_zone="UTC", strict=False)
    elif getattr(rows["as_of"].dtype, "time_zone", None) is None:
        at = at.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    read = rows.with_columns(read=at.dt.convert_time_zone("UTC"))
    unread = read.filter(pl.col("as_of").is_not_null() & pl.col("read").is_null())
    if len(unread):
        raise BadInput(f"{path} has {len(unread)} as_of that are no times: write them as 2026-03-02T09:00:00Z")
    return dict(read.select("learner_id", "read").iter_rows())
