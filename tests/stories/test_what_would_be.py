"""What is said to be different comes true over HTTP: somebody who never gave the answer asks under the same rules."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.stories.conftest import LEARNER, recommended

SAID = re.compile(r"Without your (?:last )?answer on “(.+)” (.+), this would (.+)\.")
PLACES = ("first", "second", "third", "fourth", "fifth")


@pytest.fixture
def told(school_told: dict[str, Any]) -> dict[str, Any]:
    """Somebody in the first weeks, whom one answer still tells much of."""
    return {**school_told, "events": school_told["events"][:12]}


def told_again(app: TestClient, events: list[dict[str, Any]], learner_id: str) -> None:
    """The same events of somebody else."""
    theirs = [{**e, "learner_id": learner_id, "event_id": f"{e['event_id']}-{learner_id}"} for e in events]
    assert app.post("/v1/events", json={"events": theirs}).json()["accepted"] == len(events)


@pytest.mark.parametrize("rules", [(), ("exercise", "quiz")])
def test_who_never_gave_the_answer_finds_what_was_said(
    app: TestClient, told: dict[str, Any], rules: tuple[str, ...]
) -> None:
    if rules:
        draft = {"id": "no", "verb": "hide", "scope": {}, "what": {"formats": list(rules)}, "reason": "a quiet week"}
        assert app.post("/v1/rules", json=draft).status_code == 201
    titles = {r["title"]: r["resource_id"] for r in told["resources"]}
    n = 0
    for goal in (["m7-pct-1"], ["m7-frac-2"], ["m7-frac-1", "m7-pct-1"]):
        for option in recommended(app, LEARNER, k=4, goal=goal, what_if=True)["slate"]:
            for said in filter(None, map(SAID.fullmatch, option["what_if"])):
                answers = [e for e in told["events"] if e.get("outcome") is not None]
                meant = [e for e in answers if e["resource_id"] == titles[said[1]]][-1]
                n += 1
                told_again(app, [e for e in told["events"] if e is not meant], f"other-{n}")
                then = [o["resource_id"] for o in recommended(app, f"other-{n}", k=4, goal=goal)["slate"]]
                place = said[3].removeprefix("stand ")
                if place in PLACES:
                    assert then.index(option["resource_id"]) == PLACES.index(place) != option["rank"] - 1
                else:
                    assert option["resource_id"] not in then
    assert n >= 2
