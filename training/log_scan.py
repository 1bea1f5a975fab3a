"""The interactions of a log as they lie in its files, also in files that other hands wrote."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from engine.domain.errors import BadLog
from training.log_schema import CATALOGUE, interactions_schema

_NEEDED = ("event_id", "learner_id", "resource_id")
_CHUNK = 32_768


def scan_file(path: Path) -> pl.LazyFrame:
    """The interactions of one file with the columns and types of the log.

    Raises:
        BadLog: the file is cut off, or lacks columns, or holds other types.
    """
    return pl.scan_parquet(path, glob=False).select(canonical(_schema(path), interactions_schema, path))


def chunks_of_file(path: Path) -> Iterator[pl.DataFrame]:
    """The same, a bounded number of rows at a time."""
    columns = canonical(_schema(path), interactions_schema, path)
    for chunk in parquet_chunks(path):
        yield chunk.select(columns)


def parquet_chunks(path: Path) -> Iterator[pl.DataFrame]:
    """Any Parquet file, a bounded number of rows at a time, also where it is a single row group."""
    with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
        for batch in file.iter_batches(_CHUNK):
            yield pl.DataFrame(batch)


def read_table(path: Path, table: str) -> pl.DataFrame:
    """A table of the catalogue with the columns and types of the log.

    Raises:
        BadLog: the file is cut off, or lacks its id, or holds other types.
    """
    schema = _schema(path)
    return pl.read_parquet(path, glob=False).select(canonical(schema, CATALOGUE[table], path))


def canonical(given: pl.Schema, wanted: pl.Schema, path: Path) -> list[pl.Expr]:
    """The columns of a file as the log's; absent ones are null, or the default where the log has no null."""
    needed = _NEEDED if wanted is interactions_schema else wanted.names()[:1]
    missing = [name for name in needed if name not in given]
    if missing:
        raise BadLog(
            f"{path} lacks the column {', '.join(missing)}; bring it into a log with "
            "`trailmate import tables --interactions FILE --into LOG`"
        )
    return [_column(name, given, dtype, path).alias(name) for name, dtype in wanted.items()]


def _column(name: str, schema: pl.Schema, wanted: pl.DataType, path: Path) -> pl.Expr:
    given = schema.get(name)
    if given is None and name == "kind":
        outcome = pl.col("outcome") if "outcome" in schema else pl.lit(None)
        return pl.when(outcome.is_null()).then(pl.lit("viewed")).otherwise(pl.lit("attempted"))
    if given is None and name == "source":
        return pl.lit(path.name)
    if given is None or given == pl.Null:
        return pl.lit(None, wanted)
    if given == wanted:
        return pl.col(name)
    if not _fits(given, wanted):
        raise BadLog(f"{path} holds {given} in the column {name}, the log needs {wanted}; import it again")
    if isinstance(given, pl.Datetime) and given.time_zone is None:
        return pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.col(name).cast(wanted)


def _fits(given: pl.DataType, wanted: pl.DataType) -> bool:
    if isinstance(wanted, pl.List):
        return isinstance(given, pl.List) and (given.inner == pl.Null or _fits(_inner(given), _inner(wanted)))
    if isinstance(wanted, pl.String):
        return given.is_integer() or isinstance(given, (pl.String, pl.Categorical, pl.Enum))
    if isinstance(wanted, (pl.Datetime, pl.Boolean)):
        return isinstance(given, type(wanted))
    return given.is_integer() or (given.is_float() and wanted.is_float())


def _inner(dtype: pl.List) -> pl.DataType:
    inner = dtype.inner
    return inner if isinstance(inner, pl.DataType) else inner()


def _schema(path: Path) -> pl.Schema:
    try:
        return pl.Schema(pl.DataFrame(pq.read_schema(path).empty_table()).schema)
    except (pa.ArrowInvalid, pa.ArrowException) as problem:
        raise BadLog(f"{path} is cut off or no Parquet file ({_first_line(problem)}); import it again") from None


def _first_line(problem: Exception) -> str:
    return str(problem).splitlines()[0].rstrip(".") if str(problem) else type(problem).__name__
