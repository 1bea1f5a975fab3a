"""One resource at a time over HTTP: put, changed in part, withdrawn, and refused with every mistake at once."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from engine.domain.errors import BadInput
from engine.domain.resource import Resource
from serving.app import create_app
from serving.settings import Settings
from serving.wire_resource import resource_changed, resource_of, resource_put
from tests.served import key_for

PLAIN: dict[str, Any] = {
    "title": "Ratios", "format": "video", "skills": ["ratios"], "minutes": 5.5, "position": 2, "language": "de",
    "grade_min": 6, "grade_max": 8, "tags": ["t"], "access": ["captions"], "available_from": "2026-01-01T00:00:00Z",
    "available_until": None, "url": "https://school.example/r",
}  # fmt: skip
BARE: dict[str, Any] = dict.fromkeys(PLAIN) | {"format": "other", "skills": [], "tags": [], "access": []}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    data = tmp_path_factory.mktemp("one")
    with TestClient(
        create_app(Settings(data=data)), headers={"Authorization": f"Bearer {key_for(data, 'admin')}"}
    ) as c:
        yield c


def told(answer: Any, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def shown(client: TestClient) -> set[str]:
    answer = told(client.post("/v1/recommendations", json={"learner_id": "anybody", "k": 50}))
    return {option["resource_id"] for option in answer["slate"]}


@pytest.mark.parametrize("x_id", ["r-1", "a/b é?", "unit/../7", "ü" * 256, "42"])
def test_it_is_put_changed_and_withdrawn_whatever_its_id(client: TestClient, x_id: str) -> None:
    door = f"/v1/resources/{quote(x_id, safe='')}"
    assert told(client.put(door, json=PLAIN)) == {"resource_id": x_id, **PLAIN}
    assert x_id in shown(client)
    changed = told(client.patch(door, json={"title": "New", "skills": None, "position": None}))
    assert changed == {"resource_id": x_id, **PLAIN, "title": "New", "skills": [], "position": None}
    assert told(client.put(door, json={})) == {"resource_id": x_id, **BARE, "title": x_id}
    assert told(client.delete(door)) == {"resource_id": x_id, **BARE, "title": x_id}
    assert x_id not in shown(client)
    for gone in (client.delete(door), client.patch(door, json={"title": "again"})):
        assert "on offer" in told(gone, 404)["detail"]
    assert x_id not in shown(client)


def test_a_whole_sync_takes_it_in_or_away_as_anything_else(client: TestClient) -> None:
    told(client.put("/v1/resources/alone", json={"title": "Alone"}))
    same = told(client.put("/v1/resources", json={"resources": [{"resource_id": "alone", "title": "Alone"}]}))
    assert (same["added"], same["changed"], same["unchanged"]) == (0, 0, 1)
    told(client.delete("/v1/resources/alone"))
    other = [{"resource_id": "other"}]
    assert told(client.put("/v1/resources", json={"resources": other}))["withdrawn"] == 0
    assert shown(client) == {"other"}
    told(client.put("/v1/resources/alone", json={}))
    assert shown(client) == {"alone", "other"}
    # Absent from the whole set is withdrawn, whoever put it.
    assert told(client.put("/v1/resources", json={"resources": other}))["withdrawn"] == 1
    assert shown(client) == {"other"}
    # A slip of the pen withdraws nothing, and brings nothing back.
    slip = [*other, {"resource_id": "alone", "minutes": "long"}]
    assert told(client.put("/v1/resources", json={"resources": slip}))["unchanged"] == 1
    assert shown(client) == {"other"}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_every_mistake_is_told_at_once(client: TestClient, method: str) -> None:
    told(client.put("/v1/resources/wrong", json={"title": "as it was"}))
    body = {
        "resource_id": "another", "minutes": 0, "titel": "T", "skills": ["a", 3], "position": 2**31,
        "available_from": "soon", "available_until": "0001-01-01T00:00:00+14:00", "url": "fine",
    }  # fmt: skip
    detail = told(client.request(method, "/v1/resources/wrong", json=body), 422)["detail"]
    for wrong in (
        "resource_id in the body", "$.minutes", "did you mean title?", "$.skills[1]", "$.position", "$.available_from",
        "outside the years",
    ):  # fmt: skip
        assert wrong in detail, detail
    assert "url" not in detail
    assert told(client.patch("/v1/resources/wrong", json={}))["title"] == "as it was"
    for x_id in ("%00", "x" * 513, "%20"):
        both = told(client.request(method, f"/v1/resources/{x_id}", json={"minutes": -1}), 422)["detail"]
        assert "resource_id" in both
        assert "$.minutes" in both
        assert "resource_id" in told(client.request(method, f"/v1/resources/{x_id}", json={}), 422)["detail"]
    assert told(client.request(method, "/v1/resources/wrong", content="{"), 400)
    assert "object" in told(client.request(method, "/v1/resources/wrong", json=[1]), 422)["detail"]


def test_the_whole_set_tells_every_mistake_of_each_too(client: TestClient) -> None:
    wrong = [{"minutes": -1, "title": 3, "beside": 1}, {"resource_id": " ", "format": None}]
    rejected = told(client.put("/v1/resources?dry_run=true", json={"resources": wrong}))["rejected"]
    assert [r["index"] for r in rejected] == [0, 1]
    for part in ("$.minutes", "$.title", "required field `resource_id`"):
        assert part in rejected[0]["reason"]
    assert "beside" not in rejected[0]["reason"]
    assert "1 to 512 bytes" in rejected[1]["reason"]
    assert "$.format" in rejected[1]["reason"]


def test_who_may_not_keep_the_catalogue_is_refused(client: TestClient) -> None:
    data = client.app.state.house.settings.data  # type: ignore[attr-defined]
    for method in ("PUT", "PATCH", "DELETE"):
        headers = {"Authorization": f"Bearer {key_for(data, 'recommend')}"}
        refused = client.request(method, "/v1/resources/x", headers=headers)
        assert "catalogue" in told(refused, 403)["detail"]


def test_each_change_is_in_the_audit_once_and_what_changes_nothing_is_not(client: TestClient) -> None:
    for _ in range(2):
        told(client.put("/v1/resources/seen", json={"title": "A"}))
        told(client.patch("/v1/resources/seen", json={"title": "A"}))
    told(client.patch("/v1/resources/seen", json={"title": "B"}))
    told(client.delete("/v1/resources/seen"))
    told(client.delete("/v1/resources/seen"), 404)
    entries = told(client.get("/v1/audit", params={"kind": "resource", "object_id": "seen"}))["entries"]
    assert [(e["action"], (e["before"] or {}).get("title"), (e["after"] or {}).get("title")) for e in entries] == [
        ("resource.withdraw", "B", None), ("resource.put", "A", "B"), ("resource.put", None, "A"),
    ]  # fmt: skip


TEXTS = st.lists(st.text(max_size=3), max_size=2)
FIELDS = {
    "title": st.text(min_size=1, max_size=3), "format": st.text(max_size=3), "skills": TEXTS, "tags": TEXTS,
    "access": TEXTS, "minutes": st.integers(1, 99), "position": st.integers(-9, 9), "language": st.text(max_size=2),
    "url": st.text(max_size=3),
}  # fmt: skip
SOME = st.fixed_dictionaries({}, optional=FIELDS)
PATCHES = st.fixed_dictionaries({}, optional={name: st.none() | values for name, values in FIELDS.items()})


@given(before=SOME, patch=PATCHES)
def test_a_patch_is_a_put_of_the_merged_object(before: dict[str, Any], patch: dict[str, Any]) -> None:
    merged = {name: value for name, value in (before | patch).items() if value is not None}
    stood = resource_put(encoded(before), "r")
    assert resource_changed(encoded(patch), "r")(stood) == resource_put(encoded(merged), "r")


@given(fields=st.dictionaries(st.sampled_from([*FIELDS, "available_from"]), st.none() | st.integers(-2, 2) | TEXTS))
def test_one_door_refuses_what_the_other_does(fields: dict[str, Any]) -> None:
    def made(make: Any) -> Resource | set[str]:
        try:
            return make()  # type: ignore[no-any-return]
        except BadInput as problem:
            return set(str(problem).split("; "))

    alone = made(lambda: resource_put(encoded(fields), "r"))
    assert alone == made(lambda: resource_of(encoded({"resource_id": "r", **fields})))


def encoded(fields: dict[str, Any]) -> bytes:
    return msgspec.json.encode(fields)
