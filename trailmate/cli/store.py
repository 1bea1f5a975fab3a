"""`trailmate load` and `trailmate export`: the log into the server's store, and back."""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer

from trailmate.cli.progress import Report, progress_bar, say

if TYPE_CHECKING:
    import polars as pl

    from serving.storage.port import Slot, Store
    from training.log import Log

Part = TypeVar("Part")
Run = Callable[[Coroutine[Any, Any, Any]], Any]
_BATCH, _PATIENCE_S = 10_000, 120.0
_MARKS = "exported.json"

Tenant = Annotated[str, typer.Option(help="The school in the store.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")]


def load(
    log: Annotated[Path, typer.Argument(help="The folder of the log.")],
    tenant: Tenant = "school",
    as_json: AsJson = False,
) -> None:
    """Bring a log into the server's store; what is there already stays as it is.

    Example: trailmate load ./log --tenant school
    """
    from serving.settings import read_settings, tenant_named
    from training.log import read_log

    tenant_named(tenant)
    given, settings = read_log(log), read_settings()
    rejects = settings.data / "rejected.parquet"
    with progress_bar() as report, _opened_store(settings.store_url) as (run, store):
        tables = _load_catalogue(given, tenant, run, store)
        fate = _load_events(given, tenant, run, store, rejects=rejects, report=report)
    where = f", see {rejects}" if fate["rejected"] else ""
    text = f"{fate['accepted']} events loaded, {fate['duplicates']} were there, {fate['rejected']} rejected{where}"
    say({"tenant": tenant, **fate, **tables}, as_json=as_json, text=text)


def export(
    into: Annotated[Path, typer.Option(help="The folder of the log; made where it does not exist.")],
    tenant: Tenant = "school",
    as_json: AsJson = False,
) -> None:
    """Add to a log what the store has learned since the last export into it.

    Example: trailmate export --into ./log --tenant school
    """
    from serving.settings import read_settings, tenant_named

    tenant_named(tenant)
    with progress_bar() as report, _opened_store(read_settings().store_url) as (run, store):
        marks = _read_marks(into)
        mark = marks.setdefault(f"{store.store_id}/{tenant}", {"events": 0, "decisions": 0})
        told = _export_log(into, tenant, run, store, mark=mark, report=report)
        told["decisions"] = _export_decisions(into, tenant, run, store, mark=mark)
        _write_aside(into / _MARKS, json.dumps(marks, indent=2).encode())
    text = f"{told['events']} events and {told['decisions']} decisions exported into {into}"
    say({"tenant": tenant, **told}, as_json=as_json, text=text)


@contextmanager
def _opened_store(url: str) -> Iterator[tuple[Run, Store]]:
    """The store, and what waits for its answers: reading Parquet is plain code, only the store is not."""
    from serving.storage.opening import open_store

    with asyncio.Runner() as runner:
        opened = open_store(url, patience_s=_PATIENCE_S)
        store = runner.run(opened.__aenter__())
        try:
            yield runner.run, store
        finally:
            runner.run(opened.__aexit__(None, None, None))


def _load_catalogue(log: Log, tenant: str, run: Run, store: Store) -> dict[str, int]:
    from serving.storage.acts import COMMAND, Act
    from training.log import classes_of, learners_of, resources_of, skills_of

    resources, skills = resources_of(log.resources()), skills_of(log.skills())
    classes, learners = classes_of(log.classes()), learners_of(log.learners())
    act = Act(at=datetime.now(UTC), actor=COMMAND, reason="trailmate load")
    run(store.catalogue.put_resources(tenant, resources, act=act))
    run(store.catalogue.put_skills(tenant, skills, act=act))
    run(store.people.put_classes(tenant, classes, act=act))
    # An empty cell says nothing: somebody's no to sharing is not taken back by it.
    untold = {x.learner_id for x in learners if x.sharing is None}
    run(store.people.put_learners(tenant, learners, untold=untold, act=act))
    return {
        "resources": len(resources),
        "skills": len(skills),
        "classes": len(classes),
        "learners": len(learners),
    }


def _load_events(log: Log, tenant: str, run: Run, store: Store, *, rejects: Path, report: Report) -> dict[str, int]:
    """Batch by batch, so memory stays flat; rejected rows go to `rejects` with their reasons."""
    import polars as pl

    from training.log import frame_of_interactions, interactions_of

    fate = Counter({"accepted": 0, "duplicates": 0, "rejected": 0})
    refused: list[pl.DataFrame] = []
    total = max(1, log.facts["counts"]["interactions"])
    parts = ((list(interactions_of(good)), bad) for good, bad in map(_parted, _frames_of(log)))
    for events, bad in _one_ahead(parts):
        kept = run(store.events.append(tenant, events))
        other = frame_of_interactions([events[i] for i, _ in kept.rejected])
        reasons = pl.Series("reason", [reason for _, reason in kept.rejected], pl.String())
        refused += [part for part in (bad, other.with_columns(reasons)) if len(part)]
        fate.update(accepted=kept.accepted, duplicates=kept.duplicates, rejected=len(bad) + len(other))
        report("loading events", fate.total() / total)
    if refused:
        _write_frame(pl.concat(refused), rejects)
    return dict(fate)


def _one_ahead(parts: Iterator[Part]) -> Iterator[Part]:
    """The same, with the next part made while this one is being written: the database needs no interpreter."""
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = worker.submit(next, parts, None)
            yield part


def _frames_of(log: Log) -> Iterator[pl.DataFrame]:
    """All interactions in batches, voidings and what they void among them, in the order they were imported."""
    from training.log_files import interactions_files
    from training.log_scan import chunks_of_file

    for file in interactions_files(log.path):
        for chunk in chunks_of_file(file):
            yield from chunk.iter_slices(_BATCH)


def _parted(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows the store can keep, and the others with a `reason`: a log may come from other hands."""
    import polars as pl

    from training.log_checks import reason_to_reject

    no_id = pl.when(pl.col("event_id").is_null()).then(pl.lit("event_id is missing"))
    judged = frame.with_columns(reason=pl.coalesce(no_id, reason_to_reject(datetime.now(UTC))))
    fits = pl.col("reason").is_null()
    return judged.filter(fits).drop("reason"), judged.filter(~fits)


def _export_log(
    into: Path, tenant: str, run: Run, store: Store, *, mark: dict[str, int], report: Report
) -> dict[str, Any]:
    """Add what is new since `mark`, and move the mark on; an export cut short is simply done again."""
    from training import log

    offered = [*run(store.catalogue.resources(tenant)), *run(store.catalogue.withdrawn(tenant))]
    skills, classes = run(store.catalogue.skills(tenant)), run(store.people.classes(tenant))
    learners = run(store.people.learners(tenant))

    def new_events() -> Iterator[pl.DataFrame]:
        while page := run(store.events.after(tenant, mark["events"], _BATCH)):
            yield log.frame_of_interactions(event for _, event in page)
            mark["events"] = page[-1][0]

    added = log.add_to_log(
        into,
        source=f"store-{tenant}",
        now=datetime.now(UTC),
        report=report,
        interactions=new_events(),
        resources=log.frame_of_resources(offered) if offered else None,
        skills=log.frame_of_skills(skills) if skills else None,
        classes=log.frame_of_classes(classes) if classes else None,
        learners=log.frame_of_learners(learners) if learners else None,
    )
    return {"events": added.added, "duplicates": added.duplicates, "rejected": added.n_rejected}


def _export_decisions(into: Path, tenant: str, run: Run, store: Store, *, mark: dict[str, int]) -> int:
    """Files named by where they begin: one that is written again after a crash takes its own place."""
    decisions: set[str] = set()
    while page := run(store.decisions.after(tenant, mark["decisions"], _BATCH)):
        name = f"{store.store_id}-{tenant}-{mark['decisions']:012}.parquet"
        _write_frame(_frame_of_slots(page), into / "decisions" / name)
        decisions.update(slot.decision_id for slot in page)
        mark["decisions"] = page[-1].seq
    return len(decisions)


def _frame_of_slots(slots: Sequence[Slot]) -> pl.DataFrame:
    import polars as pl

    near_tie = {"resource_id": pl.String(), "score": pl.Float64(), "propensity": pl.Float64()}
    rule = {"rule_id": pl.String(), "held": pl.Boolean(), "effect": pl.String(), "verb": pl.String()}
    schema = {
        "decision_id": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "learner_id": pl.String(),
        "class_id": pl.String(),
        "slot": pl.Int32(),
        "resource_id": pl.String(),
        "score": pl.Float64(),
        "propensity": pl.Float64(),
        "origin": pl.String(),
        "mode": pl.String(),
        "bundle": pl.String(),
        "catalogue_hash": pl.String(),
        "near_ties": pl.List(pl.Struct(near_tie)),
        "rules": pl.List(pl.Struct(rule)),
        "experiment": pl.String(),
        "variant": pl.String(),
    }
    # Experiments come with their own issue; their columns stand here from the first file on.
    none_yet: dict[str, Any] = {"experiment": None, "variant": None}
    return pl.DataFrame(
        [{**msgspec.to_builtins(slot, builtin_types=(datetime,)), **none_yet} for slot in slots], schema=schema
    )


def _read_marks(into: Path) -> dict[str, dict[str, int]]:
    """How far each store was exported into this log; a lost file costs time, never a wrong log."""
    try:
        marks: dict[str, dict[str, int]] = json.loads((into / _MARKS).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return marks


def _write_frame(frame: pl.DataFrame, place: Path) -> None:
    content = io.BytesIO()
    frame.write_parquet(content)
    _write_aside(place, content.getvalue())


def _write_aside(place: Path, content: bytes) -> None:
    """Aside, to disk, then renamed: the file is there as a whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.aside")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(place)
