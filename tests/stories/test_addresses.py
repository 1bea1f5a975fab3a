"""An address that is not quite right: nobody is sent elsewhere, no two learners become one, what to mend is said."""

from collections.abc import Iterator

import httpx
import pytest

from tests.served import Served, key_for, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("addresses")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[httpx.Client]:
    with server.client(key_for(server.data, "admin")) as asking:
        yield asking


def test_whoever_adds_a_slash_is_sent_nowhere(client: httpx.Client) -> None:
    for path in ("/v1/recommendations/?learner_id=lena", "/v1/events/", "/livez/"):
        answer = client.post(path, headers={"Host": "elsewhere.example"}, json={"learner_id": "lena"})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert "location" not in answer.headers and "lena" not in answer.text
    assert client.get("/console").headers["location"] == "/console/"


@pytest.mark.parametrize(
    "address", ["/v1/learners/J%FCrg", "/v1/learners/J%F6rg/preferences", "/v1/groups?class_id=%FF"]
)
def test_an_id_that_is_not_utf8_is_nobodys(client: httpx.Client, server: Served, address: str) -> None:
    answer = httpx.request("PUT" if "learners" in address else "GET", f"{server.url}{address}", headers=client.headers)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert "UTF-8" in answer.json()["detail"] and answer.headers["x-request-id"] == answer.json()["request_id"]
    assert client.put("/v1/learners/J%C3%BCrg", json={}).json()["learner_id"] == "Jürg"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/v1/learners/lena?audience=boss", "audience: input should be 'learner' or 'teacher'"),
        ("/v1/groups?class_id=7b&limit=-1", "limit: input should be greater than or equal to 1"),
        ("/v1/groups", "class_id: field required"),
        ("/v1/audit?limit=lena", "limit: input should be a valid integer"),
    ],
)
def test_a_query_parameter_of_the_wrong_form_is_named(client: httpx.Client, address: str, says: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert "boss" not in answer.text and "lena" not in answer.text


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_load_balancer_may_ask_for_the_head_alone(client: httpx.Client, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
