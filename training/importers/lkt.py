"""The cloze practice of LKT, as DataShop exports it: a transaction for each trial."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from engine.domain.errors import BadLog
from training.importers.foreign import Foreign, find
from training.importers.reading import Progress, read_chunks
from training.log_schema import PROBLEM, ROW

# DataShop's headers without case and punctuation: "KC (Cluster)" and R's "KC..Cluster." are the same column.
_NAMES = {
    "anonstudentid": "learner_id",
    "problemname": "item_id",
    "stepname": "item_id",
    "time": "ts",
    "kccluster": "skill_cluster",
    "durationsec": "duration_s",
    "cfdisplayorder": "display_order",
    "cfendlatency": "end_latency_ms",
}
_NEEDED = ("learner_id", "item_id", "ts", "outcome")
_SCORES = {"CORRECT": 1.0, "INCORRECT": 0.0}


def read_lkt(paths: Sequence[Path], *, progress: Progress) -> Foreign:
    """A sentence is the resource, its cluster the skill; trials that only show the answer are `viewed`."""
    file = find(paths, "lkt_cloze.parquet") or _table(paths)
    return Foreign(interactions=(_trials(chunk, str(file)) for chunk in _chunks(file, progress)))


def _table(paths: Sequence[Path]) -> Path:
    files = [path for path in paths if path.is_file()]
    files += sorted(file for path in paths if path.is_dir() for file in path.glob("*.txt"))
    if not files:
        raise BadLog(f"found no DataShop table in {', '.join(map(str, paths))}; name the tab-separated file itself")
    return files[0]


def _chunks(file: Path, progress: Progress) -> Iterator[pl.DataFrame]:
    kind = None if file.suffix in (".parquet", ".csv") else "raw_tsv"
    for chunk in read_chunks(file, progress=progress, kind=kind):
        yield chunk.rename({name: _plain(name) for name in chunk.columns if name not in (ROW, PROBLEM)})


def _plain(name: str) -> str:
    return _NAMES.get(re.sub(r"[^a-z0-9]", "", name.lower()), name.lower())


def _trials(chunk: pl.DataFrame, what: str) -> pl.DataFrame:
    missing = [name for name in _NEEDED if name not in chunk.columns]
    if missing:
        raise BadLog(
            f"{what} lacks {', '.join(missing)} (found: {', '.join(chunk.columns[:20])}); is it the right file?"
        )
    said = pl.col("outcome").cast(pl.String).str.to_uppercase()
    unknown = pl.when(~said.is_in([*_SCORES, "STUDY"])).then(pl.lit("outcome is not CORRECT, INCORRECT or STUDY"))
    return chunk.select(
        "learner_id",
        pl.col("item_id").alias("resource_id"),
        pl.col("ts").alias("at"),
        _optional(chunk, "display_order").alias("order"),
        pl.when(said == "STUDY").then(pl.lit("viewed")).otherwise(pl.lit("attempted")).alias("kind"),
        said.replace_strict(_SCORES, default=None, return_dtype=pl.Float64).alias("outcome"),
        _seconds(chunk).alias("duration_s"),
        pl.concat_list(_optional(chunk, "skill_cluster")).list.drop_nulls().alias("skills"),
        ROW,
        pl.coalesce(PROBLEM, unknown).alias(PROBLEM),
    )


def _seconds(chunk: pl.DataFrame) -> pl.Expr:
    """The time to the answer where it is told: DataShop's duration holds the feedback on the trial before as well."""
    if "end_latency_ms" not in chunk.columns:
        return _optional(chunk, "duration_s").cast(pl.Float64, strict=False)
    latency = pl.col("end_latency_ms").cast(pl.Float64, strict=False) / 1000
    # A trial that only shows the answer has the latency -1.
    return pl.when(latency >= 0).then(latency)


def _optional(chunk: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String) if name in chunk.columns else pl.lit(None, pl.String)
