"""What a server keeps of its learners is the fold of their events, bit for bit, whatever way the events came."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from engine.bundle import read_bundle
from engine.domain.interaction import Interaction
from engine.learner.fold import folded, offer_of
from engine.learner.kernels import BLOCK, SELF
from engine.learner.model import learner_model_of
from engine.learner.state import state_from
from experiments.simulation.school import School
from serving.storage.opening import open_store
from serving.storage.port import KeptState
from tests.served import key_for, served
from trailmate import Trailmate
from trailmate.cli import main
from training.log import interactions_of, read_log, resources_of
from training.log_files import interactions_files
from training.log_scan import scan_file

HEADER_BYTES = 54


@pytest.fixture(scope="module")
def folder(
    school: School, school_log: Path, school_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A store that was loaded, asked, told more, told late, told of mistakes, and exported into `log`."""
    folder = tmp_path_factory.mktemp("replayed")
    key = key_for(folder, "admin")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TRAILMATE_DATA", str(folder))
        command("load", str(school_log))
        with served(folder, "--bundle", str(school_bundle)) as server, Trailmate(server.url, key=key) as app:
            ids = [school.learner_id(i) for i in range(school.n_learners)]
            for learner_id in ids:
                app.recommend(learner_id)
            for number, learner_id in enumerate(ids):
                live_on(app, learner_id, number, school_log)
            withdraw_one(app, school_log)
            for learner_id in ids:
                app.recommend(learner_id, objective="uptake")
            app.recommend("nobody")
        command("export", "--into", str(folder / "log"))
    yield folder


def command(*words: str) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*words, "--json"])


def live_on(app: Trailmate, learner_id: str, number: int, log: Path) -> None:
    """More of each learner's life, in an order that life allows and a fold has to bear."""
    theirs = read_log(log).interactions().filter(pl.col("learner_id") == learner_id).sort("at").collect()
    event = {
        "learner_id": learner_id,
        "resource_id": "m7-frac-1-practice",
        "kind": "attempted",
        "skills": ["m7-frac-1"],
    }
    app.set_preferences(learner_id, formats=["video"], access_needs=["keyboard"])
    app.send_events([{**event, "outcome": 0.3 * (number % 4), "duration_s": 33.3 + number}])
    heard = app.know_it(learner_id, skills=["m7-frac-1", "m7-alg-1"])
    app.recommend(learner_id, seen_token=heard.seen_token)
    # Late: in the middle of what is known, and without any time of their own.
    late = theirs["at"][len(theirs) // 2] + timedelta(minutes=7)
    app.send_events([{**event, "outcome": 1.0, "at": late}, {**event, "outcome": 0.0, "event_id": f"{learner_id}-x"}])
    goal = app.set_goal(learner_id, ["m7-frac-1"], by="2030-01-01").goal
    known = app.learner(learner_id, audience="learner")
    assert goal is not None
    assert (known.goal.skills if known.goal else ()) == goal.skills == ("m7-frac-1",)
    assert {c.skill_id for c in known.checks} <= {c.skill_id for c in heard.checks} == {"m7-frac-1", "m7-alg-1"}
    assert all(0 < s.low < s.mastery < s.high < 1 for s in known.skills)
    # Taken back: something old, something new, and something that only comes afterwards.
    voids = [theirs["event_id"][number % len(theirs)], f"{learner_id}-x", f"{learner_id}-later"]
    app.send_events([{"learner_id": learner_id, "kind": "voided", "voids": v} for v in voids[: 1 + number % 3]])
    app.recommend(learner_id)
    app.send_events([{**event, "outcome": 1.0, "event_id": f"{learner_id}-later", "at": datetime.now(UTC)}])
    app.contest(learner_id, resource_id="m7-frac-1-practice")
    app.set_preferences(learner_id, forget_observed=number % 2 == 0)


def withdraw_one(app: Trailmate, log: Path) -> None:
    """Another offer is another basis: every state has to be folded again."""
    left = [r for r in resources_of(read_log(log).resources()) if r.resource_id != "m7-frac-1-practice"]
    assert app.put_resources(left).withdrawn == 1


def kept_in(folder: Path, learner_ids: list[str]) -> dict[str, KeptState | None]:
    async def read() -> dict[str, KeptState | None]:
        async with open_store(f"sqlite+aiosqlite:///{folder / 'store.db'}") as store:
            return {x: (await store.events.context("school", x)).state for x in learner_ids}

    return asyncio.run(read())


def everything_of(log: Path, learner_id: str) -> list[Interaction]:
    """All rows, voidings and what they void among them."""
    rows = pl.concat([scan_file(file) for file in interactions_files(log)])
    return list(interactions_of(rows.filter(pl.col("learner_id") == learner_id).collect()))


def test_every_kept_state_is_the_fold_of_the_exported_log(school: School, school_bundle: Path, folder: Path) -> None:
    log = read_log(folder / "log")
    model, offer = learner_model_of(read_bundle(school_bundle)), offer_of(resources_of(log.resources()))
    ids = [school.learner_id(i) for i in range(school.n_learners)]
    for learner_id, kept in kept_in(folder, ids).items():
        events = everything_of(folder / "log", learner_id)
        state = folded(events, model, offer)
        assert kept is not None
        assert kept.content == state.to_bytes()
        assert state.n_events > 20
        assert {c.because for c in state.checks} == {"know_it", "contested"}
        assert json.loads(state.goal or "")["by"] == "2030-01-01"
        # In any order, and however often it is told.
        assert folded([*reversed(events), *events[::3]], model, offer).to_bytes() == kept.content


def test_only_who_did_something_has_a_state(folder: Path) -> None:
    assert kept_in(folder, ["nobody"]) == {"nobody": None}


def test_the_size_of_a_state_is_what_the_guide_says(school: School, folder: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "operator.md").read_text()
    fixed = HEADER_BYTES + SELF.itemsize
    assert f"{fixed:,} bytes, {BLOCK.itemsize} for each skill and each item" in guide
    for kept in kept_in(folder, [school.learner_id(i) for i in range(school.n_learners)]).values():
        assert kept is not None
        state = state_from(kept.content)
        said = len(kept.content) - fixed - BLOCK.itemsize * len(state.blocks) - 32 * len(state.memories)
        assert 200 < said < 2_500
