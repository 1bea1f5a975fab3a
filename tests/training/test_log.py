"""Reading a log, whoever wrote it."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.domain.errors import BadLog, Unknown
from engine.domain.resource import Resource
from training.log import (
    ImportReport,
    add_to_log,
    classes_of,
    classes_schema,
    frame_of_classes,
    frame_of_learners,
    frame_of_resources,
    frame_of_skills,
    interactions_schema,
    learners_of,
    learners_schema,
    read_log,
    resources_of,
    resources_schema,
    skills_of,
    skills_schema,
    undo_batch,
)

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def silent(_what: str, _share: float) -> None:
    """Tell nobody."""


def add(log: Path, rows: list[dict[str, Any]] | None = None, **more: Any) -> ImportReport:
    chunks = None if rows is None else [pl.DataFrame(rows, infer_schema_length=None)]
    return add_to_log(log, **{"interactions": chunks, "source": "events.csv", "now": NOW, "report": silent, **more})


def event(number: int, **more: Any) -> dict[str, Any]:
    return {"event_id": f"e{number}", "learner_id": "lena", "resource_id": f"r{number}", **more}


def by_hand(log: Path, frame: pl.DataFrame) -> Path:
    (log / "interactions").mkdir(parents=True)
    frame.write_parquet(log / "interactions" / "hand.parquet")
    return log


def ids(log: Path) -> list[str]:
    return sorted(read_log(log).interactions().collect()["event_id"])


def test_what_was_added_is_read_back_in_the_types_of_the_format(tmp_path: Path) -> None:
    told = add(tmp_path / "log", [event(1, outcome=0.5, at="2026-01-05T10:00:00", skills="a;b", colour="red")])
    log = read_log(tmp_path / "log")
    rows = log.interactions().collect()
    assert rows.schema == interactions_schema
    assert rows.row(0, named=True) == dict.fromkeys(interactions_schema) | {
        "event_id": "e1", "learner_id": "lena", "resource_id": "r1", "at": datetime(2026, 1, 5, 10, tzinfo=UTC),
        "kind": "attempted", "outcome": 0.5, "skills": ["a", "b"], "source": "events.csv",
    }  # fmt: skip
    assert (told.read, told.added, told.unknown_columns) == (1, 1, ("interactions.colour",))
    assert (log.skills().schema, log.classes().schema, log.learners().schema) == (
        skills_schema,
        classes_schema,
        learners_schema,
    )


def test_log_json_says_what_lies_there(tmp_path: Path) -> None:
    add(tmp_path, [event(1, at="2026-01-05"), event(2, at="2026-01-07", learner_id="tom")])
    add(tmp_path, [event(3)], source="b.csv", resources=pl.DataFrame({"resource_id": ["r1"]}))
    facts = json.loads((tmp_path / "log.json").read_text())
    assert facts == read_log(tmp_path).facts
    assert facts["sources"] == ["b.csv", "events.csv"]
    assert facts["counts"] == {
        "interactions": 3,
        "voidings": 0,
        "learners": 2,
        "resources": 3,
        "resources_described": 1,
    }
    assert facts["time_range"] == ["2026-01-05T00:00:00.000000Z", "2026-01-07T00:00:00.000000Z"]
    assert [batch["id"] for batch in facts["batches"]] == ["000001-events-csv", "000002-b-csv"]


@pytest.mark.parametrize(
    ("rows", "clock"),
    [
        ([event(1)], "none"),
        ([event(1, order=3)], "order"),
        ([event(1, order=3, at="2026-01-05"), event(2, order=4, at="2026-01-06")], "day"),
        ([event(1, at="2026-01-05"), event(2, at="2026-01-06T00:00:01")], "time"),
    ],
)
def test_the_clock_is_found_out(tmp_path: Path, rows: list[dict[str, Any]], clock: str) -> None:
    add(tmp_path / "log", rows)
    assert read_log(tmp_path / "log").clock == clock
    frame = read_log(tmp_path / "log").interactions().collect()
    assert read_log(by_hand(tmp_path / "hand", frame)).clock == clock


def test_an_importer_may_know_the_clock_better_and_the_richest_batch_speaks_for_the_log(tmp_path: Path) -> None:
    add(tmp_path, [event(1, at="2026-01-05T08:00:00")], clock="day")
    assert read_log(tmp_path).clock == "day"
    add(tmp_path, [event(2, at="2026-01-05T08:00:00")])
    assert read_log(tmp_path).clock == "time"


def test_a_log_by_hand_needs_nothing_but_interactions(tmp_path: Path) -> None:
    foreign = pl.DataFrame(
        {
            "event_id": ["a", "b"],
            "learner_id": pl.Series(["lena", "tom"], dtype=pl.Categorical),
            "resource_id": [7, 8],
            "at": pl.Series([datetime(2026, 1, 5), None], dtype=pl.Datetime("ns")),
            "outcome": [0.25, None],
            "skills": pl.Series([[], []], dtype=pl.List(pl.Null)),
        }
    )
    log = read_log(by_hand(tmp_path, foreign))
    rows = log.interactions().sort("event_id").collect()
    assert rows.schema == interactions_schema
    assert rows["kind"].to_list() == ["attempted", "viewed"]
    assert rows["at"].to_list() == [datetime(2026, 1, 5, tzinfo=UTC), None]
    assert rows["source"].to_list() == ["hand.parquet"] * 2
    assert log.resources()["resource_id"].to_list() == ["7", "8"]
    assert log.facts["counts"]["learners"] == 2


def test_adding_to_a_log_by_hand_keeps_its_tables(tmp_path: Path) -> None:
    by_hand(tmp_path, pl.DataFrame({"event_id": ["a"], "learner_id": ["lena"], "resource_id": ["r1"]}))
    pl.DataFrame({"resource_id": ["r1"], "title": ["One"]}).write_parquet(tmp_path / "resources.parquet")
    told = add(tmp_path, [event(2), {**event(1), "event_id": "a"}], resources=pl.DataFrame({"resource_id": ["r2"]}))
    assert (told.added, told.duplicates) == (1, 1)
    assert read_log(tmp_path).resources()["title"].to_list() == ["One", "r2"]
    undo_batch(tmp_path, str(told.batch))
    assert read_log(tmp_path).resources()["title"].to_list() == ["One"]


def test_resources_are_derived_with_the_skills_seen_on_them(tmp_path: Path) -> None:
    rows = [event(1, skills=["b", "a"]), event(2, skills=None), {**event(3, skills=["a"]), "resource_id": "r1"}]
    add(tmp_path, [*rows, event(4, kind="goal_set") | {"resource_id": None}])
    assert resources_of(read_log(tmp_path).resources()) == [
        Resource(resource_id="r1", title="r1", skills=("a", "b")),
        Resource(resource_id="r2", title="r2"),
    ]


def test_voided_events_and_their_voidings_are_gone(tmp_path: Path) -> None:
    add(tmp_path, [event(1), event(2), event(3, kind="voided", voids="e1")])
    assert ids(tmp_path) == ["e2"]


def test_the_tables_of_the_catalogue_come_back_as_nouns(tmp_path: Path) -> None:
    tables = {
        "resources": pl.DataFrame(
            {"resource_id": [1], "minutes": [2.5], "available_from": ["2026-01-05"], "tags": ["x;y"], "position": ["3"]}
        ),
        "skills": pl.DataFrame({"skill_id": ["s", "t"], "prerequisites": [["t"], []], "parent": [None, "s"]}),
        "classes": pl.DataFrame({"class_id": ["7b"], "starts_at": [datetime(2026, 9, 1)], "course_id": [12.0]}),
        "learners": pl.DataFrame({"learner_id": ["lena"], "sharing": ["yes"], "classes": ["7b"]}),
    }
    add(tmp_path, [event(1)], **tables)
    log = read_log(tmp_path)
    resource, school_class, learner = (
        resources_of(log.resources())[0],
        classes_of(log.classes())[0],
        learners_of(log.learners())[0],
    )
    assert (resource.resource_id, resource.title, resource.minutes, resource.position) == ("1", "1", 2.5, 3)
    assert (resource.tags, resource.available_from) == (("x", "y"), datetime(2026, 1, 5, tzinfo=UTC))
    assert (school_class.course_id, school_class.starts_at) == ("12", datetime(2026, 9, 1, tzinfo=UTC))
    assert repr(school_class.starts_at) == repr(datetime(2026, 9, 1, tzinfo=UTC))
    assert (learner.sharing, learner.classes, learner.features) == (True, ("7b",), ())
    frames = [
        (frame_of_resources(resources_of(log.resources())), log.resources()),
        (frame_of_skills(skills_of(log.skills())), log.skills()),
        (frame_of_classes(classes_of(log.classes())), log.classes()),
        (frame_of_learners(learners_of(log.learners())), log.learners()),
    ]
    assert all(made.equals(read) and made.schema == read.schema for made, read in frames)
    assert log.resources().schema == resources_schema


def test_a_skill_graph_is_mended_and_the_report_names_cycle_edge_and_dangling(tmp_path: Path) -> None:
    skills = pl.DataFrame({"skill_id": ["a", "b", "c"], "prerequisites": [["b"], ["c"], ["a", "ghost"]]})
    graph = add(tmp_path, [event(1)], skills=skills).graph
    assert (graph.cycles, graph.dropped, graph.dangling) == ((("a", "b", "c", "a"),), (("a", "c"),), (("ghost", "c"),))
    assert dict(read_log(tmp_path).skills().select("skill_id", "prerequisites").iter_rows())["c"] == []
    kept = pl.read_parquet(tmp_path / "skills.parquet")
    assert kept.filter(skill_id="c")["prerequisites"].to_list() == [[]]
    said = json.loads((tmp_path / "log.json").read_text())["skill_graph"]
    assert said == {"cycles": [["a", "b", "c", "a"]], "dropped": [["a", "c"]], "dangling": [["ghost", "c"]]}


def test_a_later_word_on_an_id_wins_and_undo_gives_the_earlier_back(tmp_path: Path) -> None:
    first = add(tmp_path, [event(1)], resources=pl.DataFrame({"resource_id": ["r1", "r2"], "title": ["One", "Two"]}))
    before = read_log(tmp_path).fingerprint()
    rows = [event(2), event(3, outcome=7)]
    told = add(tmp_path, rows, resources=pl.DataFrame({"resource_id": ["r1"], "title": ["Uno"]}), source="b.csv")
    assert read_log(tmp_path).resources()["title"].to_list() == ["Uno", "Two"]
    assert len(pl.read_parquet(tmp_path / "rejected.parquet")) == 1
    undo_batch(tmp_path, str(told.batch))
    assert read_log(tmp_path).resources()["title"].to_list() == ["One", "Two"]
    assert (ids(tmp_path), read_log(tmp_path).fingerprint()) == (["e1"], before)
    assert pl.read_parquet(tmp_path / "rejected.parquet").is_empty()
    with pytest.raises(Unknown, match=rf"has no batch 000009-x; it has {first.batch}"):
        undo_batch(tmp_path, "000009-x")


def test_the_fingerprint_sees_the_catalogue(tmp_path: Path) -> None:
    add(tmp_path / "a", [event(1)], classes=pl.DataFrame({"class_id": ["7b"], "title": ["x"]}))
    add(tmp_path / "b", [event(1)], classes=pl.DataFrame({"class_id": ["7b"], "title": ["y"]}))
    add(tmp_path / "c", [event(1)])
    assert len({read_log(tmp_path / name).fingerprint() for name in "abc"}) == 3


def test_the_fingerprint_of_the_same_rows_is_the_same_by_hand(tmp_path: Path) -> None:
    add(tmp_path / "log", [event(1, outcome=0.1), event(2, skills=["a"])])
    rows = read_log(tmp_path / "log").interactions().collect().reverse()
    assert read_log(by_hand(tmp_path / "hand", rows)).fingerprint() == read_log(tmp_path / "log").fingerprint()
    # Pinned: bundles carry fingerprints, so a change of this one needs a new format version of the log.
    pinned = "814c9349344c2645da43bffdde5ccd26328827d491c0791276973894970f541a"
    assert read_log(tmp_path / "log").fingerprint() == pinned


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda log: shutil.rmtree(log), "does not exist; name the folder"),
        (lambda log: (shutil.rmtree(log), log.write_text("x")), "is a file; name the folder"),
        (lambda log: shutil.rmtree(log / "interactions"), "has no interactions"),
        (lambda log: truncate(next((log / "interactions").glob("*"))), "is cut off or no Parquet file"),
        (lambda log: rewrite(log, pl.col("*").exclude("learner_id")), "lacks the column learner_id"),
        (
            lambda log: rewrite(log, pl.lit(True).alias("at"), pl.col("*").exclude("at")),
            "holds Boolean in the column at",
        ),
        (lambda log: truncate(log / "resources.parquet"), "is cut off or no Parquet file"),
        (lambda log: (log / "log.json").write_text("{"), "is no JSON"),
        (lambda log: (log / "log.json").write_text('{"format_version": 99}'), "is not of format version 1"),
    ],
)
def test_a_spoiled_log_is_refused_in_words(tmp_path: Path, spoil: Any, words: str) -> None:
    log = tmp_path / "log"
    add(log, [event(1)], resources=pl.DataFrame({"resource_id": ["r1"]}))
    spoil(log)
    with pytest.raises(BadLog, match=words):
        read_log(log)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def rewrite(log: Path, *columns: pl.Expr) -> None:
    file = next((log / "interactions").glob("*"))
    pl.read_parquet(file).select(*columns).write_parquet(file)
