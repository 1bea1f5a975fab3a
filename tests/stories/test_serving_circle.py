"""The circle closes: what was served comes back as a log, and a log comes back as the same answers."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from starlette.testclient import TestClient

from serving.app import create_app
from serving.settings import Settings
from tests.served import key_for
from tests.stories.conftest import Asking, Clock
from trailmate.cli import main
from training.batch import everyone
from training.log import read_log

Command = Callable[..., Any]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command on a data folder and gives what it prints as JSON."""

    def run(data: Path, *words: str) -> Any:
        monkeypatch.setenv("TRAILMATE_DATA", str(data))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*words, "--json"])
        assert ended.value.code == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return run


def contents(log: Path) -> dict[str, pl.DataFrame]:
    found = read_log(log)
    tables = {"resources": found.resources(), "skills": found.skills(), "classes": found.classes()}
    events = found.interactions().collect().sort("event_id")
    return {"interactions": events, "learners": found.learners(), **tables}


def test_a_log_loaded_and_exported_is_the_same_log(tiny_log: Path, tmp_path: Path, command: Command) -> None:
    loaded = command(tmp_path / "a", "load", str(tiny_log))
    assert (loaded["accepted"], loaded["rejected"]) == (read_log(tiny_log).facts["counts"]["interactions"], 0)
    again = command(tmp_path / "a", "load", str(tiny_log))
    assert (again["accepted"], again["duplicates"]) == (0, loaded["accepted"])
    exported = command(tmp_path / "a", "export", "--into", str(tmp_path / "log"))
    assert exported["events"] == loaded["accepted"]
    given, back = contents(tiny_log), contents(tmp_path / "log")
    for name in given:
        assert_frame_equal(given[name], back[name])
    assert read_log(tiny_log).fingerprint() == read_log(tmp_path / "log").fingerprint()


def test_what_is_served_is_exported_once_and_comes_back_as_the_same_store(tmp_path: Path, command: Command) -> None:
    data, log = tmp_path / "a", tmp_path / "log"
    data.mkdir()
    headers = {"Authorization": f"Bearer {key_for(data, 'admin')}"}
    event = {"learner_id": "lena", "outcome": 0.7, "duration_s": 12.3, "skills": [], "value": '{"x": 1}'}
    with TestClient(create_app(Settings(data=data)), headers=headers) as app:
        app.put("/v1/resources", json={"resources": [{"resource_id": x, "minutes": 0.1} for x in "abc"]})
        app.put("/v1/classes/7b", json={"starts_at": "2026-09-01T00:00:00Z"})
        app.put("/v1/learners/lena", json={"classes": ["7b"]})
        app.post("/v1/events", json={"events": [{**event, "event_id": x, "resource_id": x} for x in "ab"]})
        app.post("/v1/events", json={"events": [{"learner_id": "lena", "kind": "voided", "voids": "a"}]})
        answers = [app.post("/v1/recommendations", json={"learner_id": x}).json() for x in ("lena", "new")]
        first = command(data, "export", "--into", str(log))
        assert (first["events"], first["decisions"]) == (3, 2)
        nothing = command(data, "export", "--into", str(log))
        assert (nothing["events"], nothing["duplicates"], nothing["decisions"]) == (0, 0, 0)
        app.put("/v1/resources", json={"resources": [{"resource_id": x, "minutes": 0.1} for x in "bc"]})
        answers.append(app.post("/v1/recommendations", json={"learner_id": "third", "exclude": ["b", "c"]}).json())
        app.post("/v1/events", json={"events": [{**event, "event_id": "c", "resource_id": "c"}]})
        more = command(data, "export", "--into", str(log))
        assert (more["events"], more["duplicates"], more["decisions"]) == (1, 0, 1)

    slots = pl.read_parquet(log / "decisions" / "*.parquet")
    for answer in answers:
        kept = slots.filter(decision_id=answer["decision_id"]).sort("slot").to_dicts()
        offered = [(o["rank"], o["resource_id"], o["score"], o["propensity"]) for o in answer["slate"]]
        assert [(s["slot"], s["resource_id"], s["score"], s["propensity"]) for s in kept] == (
            offered or [(0, None, None, None)]
        )
    resources = read_log(log).resources()
    assert resources.filter(pl.col("available_until").is_not_null())["resource_id"].to_list() == ["a"]

    command(tmp_path / "b", "load", str(log))
    assert events_in(tmp_path / "b") == events_in(data)
    assert command(data, "load", str(log))["duplicates"] == 4


def events_in(data: Path) -> list[tuple[Any, ...]]:
    """All columns but the number the store gave, with every last digit."""
    with sqlite3.connect(data / "store.db") as connection:
        rows = connection.execute("SELECT * FROM interactions ORDER BY event_id").fetchall()
    connection.close()
    return [row[:2] + row[3:] for row in rows]


def test_the_served_answer_is_the_one_of_the_command_line_to_the_last_digit(
    tiny_log: Path, tiny_bundle: Path, tmp_path: Path, command: Command
) -> None:
    data, out = tmp_path / "data", tmp_path / "out.parquet"
    command(data, "load", str(tiny_log))
    command(data, "recommend", str(tiny_bundle), str(tiny_log), "--k", "5", "--learners", "all", "--out", str(out))
    batch = pl.read_parquet(out).sort("learner_id", "rank")
    last: datetime = read_log(tiny_log).interactions().select(pl.col("at").max()).collect().item()
    headers = {"Authorization": f"Bearer {key_for(data, 'recommend')}"}
    app = create_app(Settings(data=data, bundle=tiny_bundle))
    with TestClient(app, headers=headers) as client:
        app.state.house = replace(app.state.house, clock=lambda: last)
        for learner_id in batch["learner_id"].unique().sort()[:12]:
            answer = client.post("/v1/recommendations", json={"learner_id": learner_id, "k": 5}).json()
            served = [(o["resource_id"], o["rank"], o["score"]) for o in answer["slate"]]
            wanted = batch.filter(learner_id=learner_id).select("resource_id", "rank", "score").rows()
            assert served == wanted


def test_reviews_checks_and_preferences_are_served_as_the_command_line_says_them(
    school_log: Path, school_bundle: Path, tmp_path: Path, command: Command, asking: Asking
) -> None:
    data, log, clock = tmp_path / "data", tmp_path / "log", Clock()
    command(data, "load", str(school_log))
    ids = everyone(read_log(school_log))
    with asking(school_bundle, data=data, clock=clock) as app:
        for number, learner_id in enumerate(ids):
            if number % 3:
                wants = {"formats": ["video"], "access_needs": ["captions"] if number % 2 else [], "languages": ["en"]}
                for said in ({"access_needs": ["a need nothing meets"]}, wants):
                    app.put(f"/v1/learners/{learner_id}/preferences", json=said)
            if number % 4 == 0:
                app.post(f"/v1/learners/{learner_id}/voice", json={"voice": "know_it", "skills": ["m7-frac-1"]})
        command(data, "export", "--into", str(log))
        now = clock.now + timedelta(days=20)
        codes = set()
        for objective in ("learning", "uptake"):
            out, asked = tmp_path / f"{objective}.parquet", {"k": 5, "objective": objective, "again": False}
            moment = ("--as-of", now.isoformat(), "--objective", objective, "--k", "5")
            command(data, "recommend", str(school_bundle), str(log), *moment, "--out", str(out))
            batch = pl.read_parquet(out)
            for learner_id in ids:
                clock.now = now - timedelta(seconds=1)
                slate = app.post("/v1/recommendations", json={"learner_id": learner_id, **asked}).json()["slate"]
                served = [(o["resource_id"], o["rank"], o["score"]) for o in slate]
                wanted = batch.filter(learner_id=learner_id).select("resource_id", "rank", "score").rows()
                assert served == wanted
                codes |= {(objective, r["code"]) for o in slate for r in o["reasons"]}
    assert {("learning", code) for code in ("review", "check", "style")} <= codes
    assert not {("uptake", code) for code in ("review", "check", "style")} & codes


def test_a_log_from_other_hands_loads_what_can_be_kept_and_says_why_not_the_rest(
    tmp_path: Path, command: Command
) -> None:
    rows = {"event_id": ["a", "b", None], "learner_id": ["l"] * 3, "resource_id": ["r"] * 3}
    (tmp_path / "log" / "interactions").mkdir(parents=True)
    pl.DataFrame({**rows, "kind": ["viewed", "juggled", "viewed"]}).write_parquet(
        tmp_path / "log" / "interactions" / "x.parquet"
    )
    told = command(tmp_path / "data", "load", str(tmp_path / "log"))
    assert (told["accepted"], told["rejected"]) == (1, 2)
    reasons = pl.read_parquet(tmp_path / "data" / "rejected.parquet")["reason"].to_list()
    assert reasons == ["kind is not one of the known kinds", "event_id is missing"]


def test_a_log_that_does_not_speak_of_sharing_takes_no_no_back(
    tiny_log: Path, tmp_path: Path, command: Command
) -> None:
    data, log = tmp_path / "a", tmp_path / "log"
    shutil.copytree(tiny_log, log)
    frame = pl.DataFrame({"learner_id": ["lena", "kim"], "classes": [["7b"], ["7b"]], "sharing": [None, True]})
    schema = read_log(tiny_log).learners().schema
    frame = frame.with_columns(pl.lit(None, schema[x]).alias(x) for x in schema if x not in frame.columns)
    frame.select(pl.col(x).cast(kind) for x, kind in schema.items()).write_parquet(log / "learners.parquet")
    data.mkdir()
    headers = {"Authorization": f"Bearer {key_for(data, 'admin')}"}
    with TestClient(create_app(Settings(data=data)), headers=headers) as app:
        for x in ("lena", "kim"):
            app.put(f"/v1/learners/{x}", json={"sharing": False})
    command(data, "load", str(log))
    with TestClient(create_app(Settings(data=data)), headers=headers) as app:
        told = [app.put(f"/v1/learners/{x}", json={"classes": ["7b"]}).json()["sharing"] for x in ("lena", "kim")]
    assert told == [False, True]
