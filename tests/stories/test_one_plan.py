"""Every door that speaks of the way to a goal says the same of it, with and without times in the log."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from tests.conftest import train_quietly
from tests.stories.conftest import LEARNER, SCHOOL_NOW, Asking, Clock, portrait
from training.log import add_to_log, read_log

GOAL = ["m7-alg-3", "m7-pct-1"]
BY = "2026-06-30"
SAME = {"minutes_needed": "minutes", "minutes_needed_p90": "minutes_p90"} | {
    name: name for name in ("minutes_a_week", "finish_p50", "finish_p90", "on_track", "by")
}


@pytest.fixture(scope="module")
def untimed_bundle(school_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the same year in a school that never told how long anything took."""
    folder, log = tmp_path_factory.mktemp("untimed"), read_log(school_log)
    events = log.interactions().with_columns(duration_s=pl.lit(None, pl.Float32)).collect()
    add_to_log(
        folder / "log", interactions=[events], resources=log.resources(), skills=log.skills(), classes=log.classes(),
        learners=log.learners(), source="untimed", now=SCHOOL_NOW, report=lambda what, share: None,
    )  # fmt: skip
    train_quietly(folder / "log", folder / "bundle")
    return folder / "bundle"


@pytest.fixture
def untimed(asking: Asking, untimed_bundle: Path, school_told: dict[str, Any], clock: Clock) -> Iterator[TestClient]:
    with asking(untimed_bundle, clock=clock) as client:
        client.put("/v1/resources", json={"resources": school_told["resources"]})
        events = [{k: v for k, v in e.items() if k != "duration_s"} for e in school_told["events"][:20]]
        client.post("/v1/events", json={"events": events})
        yield client


def agree(app: TestClient) -> dict[str, Any]:
    """The path, after the goal door, the portrait and the path said the same of it."""
    said = app.put(f"/v1/learners/{LEARNER}/goal", json={"skills": GOAL, "by": BY}).json()
    path: dict[str, Any] = app.get(f"/v1/learners/{LEARNER}/path").json()
    shown = portrait(app)["goal"]
    for name, of_path in SAME.items():
        # Some seconds lie between the three.
        wanted = path[of_path] if isinstance(path[of_path], str) else pytest.approx(path[of_path], rel=1e-3)
        assert said["goal"][name] == wanted, name
        assert shown[name] == wanted, name
    assert said["goal"]["remaining"] == shown["remaining"]
    assert set(shown["remaining"]) == set(GOAL) - set(path["mastered"])
    assert path["minutes"] == pytest.approx(sum(step["minutes"] for step in path["steps"]), rel=0.01)
    return path


def test_the_goal_the_portrait_and_the_path_agree(app: TestClient) -> None:
    agree(app)


def test_they_agree_where_the_log_has_no_times_and_minutes_are_those_of_the_catalogue(
    untimed: TestClient, school_told: dict[str, Any]
) -> None:
    path = agree(untimed)
    declared = {r["resource_id"]: r["minutes"] for r in school_told["resources"]}
    for step in path["steps"]:
        of_skill = [declared[r["resource_id"]] for r in school_told["resources"] if step["skill_id"] in r["skills"]]
        # A mean of those that it takes, which are declared in single precision.
        assert min(of_skill) * 0.999 <= step["minutes"] / step["steps"] <= max(of_skill) * 1.001


def test_where_no_time_is_known_at_all_a_step_takes_what_is_usual(
    untimed: TestClient, school_told: dict[str, Any]
) -> None:
    bare = [{k: v for k, v in r.items() if k != "minutes"} for r in school_told["resources"]]
    untimed.put("/v1/resources", json={"resources": bare})
    for step in agree(untimed)["steps"]:
        assert step["minutes"] / step["steps"] == pytest.approx(10.0, rel=0.01)


def test_the_way_names_nothing_that_does_not_meet_the_needs_of_who_asks(
    app: TestClient, school_told: dict[str, Any]
) -> None:
    access = {r["resource_id"]: set(r.get("access", ())) for r in school_told["resources"]}
    before = app.get(f"/v1/learners/{LEARNER}/path", params={"goal": GOAL}).json()
    named = [x for step in before["steps"] for x in step["resources"]]
    need = next(n for n in sorted(set().union(*access.values())) if any(n not in access[x] for x in named))
    app.put(f"/v1/learners/{LEARNER}/preferences", json={"access_needs": [need]})
    after = app.get(f"/v1/learners/{LEARNER}/path", params={"goal": GOAL}).json()
    assert {s["skill_id"] for s in after["steps"]} == {s["skill_id"] for s in before["steps"]}
    named = [x for step in after["steps"] for x in step["resources"]]
    assert named
    assert all(need in access[x] for x in named)
    # Where nothing at all does, the skills stay and name nothing.
    app.put(f"/v1/learners/{LEARNER}/preferences", json={"access_needs": ["a need nothing meets"]})
    bare = app.get(f"/v1/learners/{LEARNER}/path", params={"goal": GOAL}).json()
    assert [step["resources"] for step in bare["steps"]] == [[]] * len(before["steps"])
    assert bare["minutes"] > 0


def test_a_goal_that_nothing_on_offer_teaches_is_kept_and_says_so_at_every_door(
    app: TestClient, school_told: dict[str, Any]
) -> None:
    event = {"learner_id": LEARNER, "resource_id": "old", "skills": ["gone"], "kind": "viewed"}
    gone = {"resource_id": "old", "title": "Old", "skills": ["gone"]}
    app.put("/v1/resources", json={"resources": [*school_told["resources"], gone]})
    app.post("/v1/events", json={"events": [event]})
    app.put("/v1/resources", json={"resources": school_told["resources"]})
    said = app.put(f"/v1/learners/{LEARNER}/goal", json={"skills": ["gone"]}).json()
    path = app.get(f"/v1/learners/{LEARNER}/path").json()
    assert said["message"] == path["message"]
    assert "teaches" in said["message"]
    assert (said["goal"]["remaining"], said["goal"]["minutes_needed"], path["steps"]) == (["gone"], None, [])
    assert portrait(app)["goal"] == said["goal"]
