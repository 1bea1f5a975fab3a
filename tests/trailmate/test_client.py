"""The client against a small real server that fails in real ways."""

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

import pytest

from engine.domain.errors import BadInput, Refused, TrailmateError, Unavailable, Unknown
from engine.domain.learner import Learner, SchoolClass
from engine.domain.resource import Resource
from trailmate import Trailmate
from trailmate.answers import Goal, Preferences, Receipt, Rejected, SyncReport
from trailmate.transport import Conflict, TryLater

KEY = "tm_demo_topsecret"
ANSWER = {
    "decision_id": "d1",
    "learner_id": "lena",
    "mode": "personalised",
    "model_version": "v1",
    "slate": [
        {
            "resource_id": "r1", "title": "Ratios in plain words", "rank": 1, "score": 0.5, "propensity": 1.0,
            "origin": "model", "status": "recommended", "added_later": 7,
            "reasons": [{"code": "similar", "contribution": 0.5, "text_learner": "Fits.", "text_teacher": "Similar."}],
        }
    ],
    "rules": [],
    "seen_token": "9",
}  # fmt: skip
RECEIPT = {"accepted": 1, "duplicates": 0, "rejected": [], "seen_token": "5"}


class Seen:
    """What arrived: method, path, headers, body; and how to answer, one entry for each request, the last one again."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], object]] = []
        self.times: list[float] = []
        self.answers: list[Callable[[BaseHTTPRequestHandler], None]] = []

    def next_answer(self) -> Callable[[BaseHTTPRequestHandler], None]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def service() -> Iterator[tuple[str, Seen]]:
    seen = Seen()

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            seen.requests.append((self.command, self.path, dict(self.headers), json.loads(body) if body else None))
            seen.times.append(time.monotonic())
            seen.next_answer()(self)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()
    thread.join()


def answering(status: int, body: object, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def send(request: BaseHTTPRequestHandler) -> None:
        payload = json.dumps(body).encode()
        request.send_response(status)
        kind = "application/json" if status < 400 else "application/problem+json"
        for name, value in {"content-type": kind, "content-length": str(len(payload)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(payload)

    return send


def cutting(request: BaseHTTPRequestHandler) -> None:
    """Promise a hundred bytes, send three, hang up."""
    request.send_response(200)
    request.send_header("content-length", "100")
    request.end_headers()
    request.wfile.write(b"{  ")
    request.wfile.flush()
    request.connection.shutdown(socket.SHUT_RDWR)
    request.close_connection = True


def client(url: str, *, timeout: float = 5.0, retries: int = 3) -> Trailmate:
    return Trailmate(url, key=KEY, timeout=timeout, retries=retries, backoff_s=0.01)


def test_a_recommendation_is_typed_and_carries_the_key_in_the_header_only(service: tuple[str, Seen]) -> None:
    url, seen = service
    seen.answers = [answering(200, ANSWER)]
    with client(url) as trailmate:
        answer = trailmate.recommend("lena", k=3, formats=["video"], seen_token=None)
    option = answer.slate[0]
    assert (answer.mode, option.title, option.reasons[0].text_learner) == (
        "personalised", "Ratios in plain words", "Fits.",
    )  # fmt: skip
    method, path, headers, body = seen.requests[0]
    assert (method, path, body) == (
        "POST", "/v1/recommendations", {"learner_id": "lena", "k": 3, "formats": ["video"]},
    )  # fmt: skip
    assert headers["authorization"] == f"Bearer {KEY}"
    assert "lena" not in repr(answer)
    assert KEY not in repr(trailmate)


def test_events_get_their_ids_before_sending_and_keep_them_when_sent_again(service: tuple[str, Seen]) -> None:
    url, seen = service
    seen.answers = [cutting, answering(200, RECEIPT)]
    event = {"learner_id": "lena", "resource_id": "r1", "kind": "viewed", "at": datetime(2026, 3, 1, tzinfo=UTC)}
    with client(url) as trailmate:
        receipt = trailmate.send_events([event])
    assert receipt == Receipt(accepted=1, duplicates=0, seen_token="5")
    first, second = (body for _, _, _, body in seen.requests)
    assert first == second
    assert re.fullmatch("[0-9a-f]{32}", first["events"][0]["event_id"])


def test_many_events_go_in_parts_and_their_receipts_are_joined(service: tuple[str, Seen]) -> None:
    url, seen = service
    part = {"accepted": 999, "duplicates": 0, "rejected": [{"index": 3, "reason": "at lies …"}], "seen_token": "1"}
    seen.answers = [answering(200, part), answering(200, {**RECEIPT, "seen_token": "2"})]
    with client(url) as trailmate:
        receipt = trailmate.send_events({"learner_id": "a", "kind": "viewed", "resource_id": "r"} for _ in range(1001))
    assert [len(body["events"]) for _, _, _, body in seen.requests] == [1000, 1]
    assert receipt == Receipt(
        accepted=1000, duplicates=0, rejected=(Rejected(index=3, reason="at lies …"),), seen_token="2"
    )


def test_it_waits_as_long_as_the_service_asks_for(service: tuple[str, Seen]) -> None:
    url, seen = service
    seen.answers = [answering(503, {"title": "Starting"}, retry_after="1"), answering(200, ANSWER)]
    with client(url) as trailmate:
        assert trailmate.recommend("lena").decision_id == "d1"
    assert 1.0 <= seen.times[1] - seen.times[0] < 3


def test_it_gives_up_after_the_last_try_and_says_when_to_come_back(service: tuple[str, Seen]) -> None:
    url, seen = service
    seen.answers = [answering(429, {"title": "Too many", "detail": "Slow down, lena."}, retry_after="0")]
    with client(url, retries=2) as trailmate, pytest.raises(TryLater) as caught:
        trailmate.recommend("lena")
    assert len(seen.requests) == 3
    assert caught.value.retry_after_s == 0.0
    assert str(caught.value) == "Slow down, … (429); try again in 0 s"


def test_a_wait_that_is_too_long_is_not_waited(service: tuple[str, Seen]) -> None:
    url, seen = service
    later = format_datetime(datetime(2999, 1, 1, tzinfo=UTC), usegmt=True)
    seen.answers = [answering(503, {"title": "Closed"}, retry_after=later)]
    with client(url) as trailmate, pytest.raises(TryLater):
        trailmate.recommend("lena")
    assert len(seen.requests) == 1


def test_a_hanging_service_costs_one_timeout(service: tuple[str, Seen]) -> None:
    url, seen = service
    done = threading.Event()
    seen.answers = [lambda _: done.wait(5) and None]
    began = time.monotonic()
    with client(url, timeout=0.2) as trailmate, pytest.raises(Unavailable, match=r"did not answer within 0\.2 s"):
        trailmate.recommend("lena")
    done.set()
    assert time.monotonic() - began < 2
    assert len(seen.requests) == 1


def test_a_refused_port_says_what_to_start() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with client(url, retries=1) as trailmate:
            assert not trailmate.ready()
            with pytest.raises(Unavailable, match="trailmate serve"):
                trailmate.recommend("lena")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, BadInput), (401, Refused), (403, Refused), (404, Unknown), (409, BadInput), (413, BadInput),
     (422, BadInput), (500, Unavailable), (302, BadInput)],
)  # fmt: skip
def test_problems_become_typed_errors_without_the_key_or_the_learner(
    service: tuple[str, Seen], status: int, kind: type[TrailmateError]
) -> None:
    url, seen = service
    problem = {"title": "No", "detail": f"{KEY} may not ask for lena.", "status": status}
    seen.answers = [answering(status, problem, x_request_id="req-7", location="/elsewhere")]
    with client(url) as trailmate, pytest.raises(kind) as caught:
        trailmate.recommend("lena")
    assert len(seen.requests) == 1
    assert KEY not in str(caught.value)
    assert "lena" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert str(status) in str(caught.value)


def test_a_stranger_on_the_port_is_told_from_the_service(service: tuple[str, Seen]) -> None:
    url, seen = service
    seen.answers = [answering(200, {"hello": "world"})]
    with client(url) as trailmate, pytest.raises(Unavailable, match="check that the url"):
        trailmate.recommend("lena")


def test_the_catalogue_classes_and_learners_are_put_by_their_ids(service: tuple[str, Seen]) -> None:
    url, seen = service
    seen.answers = [answering(200, {"added": 1, "changed": 0, "withdrawn": 2, "unchanged": 3})]
    with client(url) as trailmate:
        report = trailmate.put_resources(
            [Resource(resource_id="r1", title="Ratios", skills=("ratio-1",))], dry_run=True
        )
        trailmate.put_class(SchoolClass(class_id="7 b/ü", starts_at=datetime(2026, 4, 27, 8, tzinfo=UTC)))
        trailmate.put_learner({"learner_id": "lena", "classes": ["7b"]})
    assert report == SyncReport(added=1, withdrawn=2, unchanged=3)
    (_, catalogue, _, body), (_, school_class, _, class_body), (_, learner, _, learner_body) = seen.requests
    assert (catalogue, school_class, learner) == (
        "/v1/resources?dry_run=true", "/v1/classes/7%20b%2F%C3%BC", "/v1/learners/lena",
    )  # fmt: skip
    assert body["resources"][0]["skills"] == ["ratio-1"]
    assert class_body == {"starts_at": "2026-04-27T08:00:00Z"}
    assert learner_body == {"classes": ["7b"]}


def test_one_resource_is_put_changed_and_withdrawn_by_its_id(service: tuple[str, Seen]) -> None:
    url, seen = service
    kept = {"resource_id": "a/b", "title": "T", "format": "video", "skills": ["s"], "minutes": 4.0}
    seen.answers = [
        answering(200, kept),
        answering(200, kept),
        answering(200, kept),
        answering(404, {"detail": "gone"}),
    ]
    with client(url) as trailmate:
        put = trailmate.put_resource(Resource(resource_id="a/b", title="T", skills=("s",)))
        changed = trailmate.change_resource("a/b", title="T", position=None)
        assert trailmate.withdraw_resource("a/b") == put == changed
        with pytest.raises(Unknown, match="gone"):
            trailmate.withdraw_resource("a/b")
    assert put == Resource(resource_id="a/b", title="T", format="video", skills=("s",), minutes=4.0)
    assert [path for _, path, _, _ in seen.requests] == ["/v1/resources/a%2Fb"] * 4
    assert [method for method, *_ in seen.requests] == ["PUT", "PATCH", "DELETE", "DELETE"]
    assert "resource_id" not in seen.requests[0][3]
    assert seen.requests[1][3] == {"title": "T", "position": None}


def test_what_is_known_of_a_learner_is_typed_and_asked_for_in_the_words_of_the_reader(
    service: tuple[str, Seen],
) -> None:
    url, seen = service
    skill = {
        "skill_id": "s", "title": "Ratios", "mastery": 0.7, "low": 0.4, "high": 0.9, "mastered": False, "recall": 0.95,
        "due_at": "2026-09-16T08:31:00Z", "answers": 1, "right_of_last": 1, "of_last": 1,
        "last_at": "2026-09-14T08:31:00Z", "text": "The only answer on Ratios was right, yesterday.",
    }  # fmt: skip
    told = {
        "learner_id": "lena/7", "audience": "learner", "classes": ["7b"], "n_events": 4, "skills": [skill],
        "formats": [{"format": "video", "share": 0.4, "usual": None, "declared": True}],
        "preferences": {"formats": ["video"]}, "goal": {"skills": ["s"], "by": "2026-12-18", "finish_p50": None},
        "checks": [{"skill_id": "s", "title": "Ratios", "because": "know_it", "since": "2026-09-15T10:00:00Z"}],
        "message": None,
    }  # fmt: skip
    seen.answers = [answering(200, told)]
    with client(url) as trailmate:
        known = trailmate.learner("lena/7", audience="learner")
    assert seen.requests[0][:2] == ("GET", "/v1/learners/lena%2F7?audience=learner")
    assert known.skills[0].due_at == datetime(2026, 9, 16, 8, 31, tzinfo=UTC)
    assert (known.formats[0].usual, known.preferences, known.checks[0].because) == (
        None, Preferences(formats=("video",)), "know_it",
    )  # fmt: skip
    assert known.goal == Goal(skills=("s",), by="2026-12-18")
    assert "lena" not in repr(known)


def test_what_a_learner_says_goes_to_its_own_door(service: tuple[str, Seen]) -> None:
    url, seen = service
    seen.answers = [
        answering(200, {"preferences": {"access_needs": ["captions"]}, "seen_token": "s1"}),
        answering(200, {"goal": None, "seen_token": "s2", "message": "No bundle"}),
        answering(200, {"checks": [], "seen_token": "s3", "message": None}),
    ]
    with client(url) as trailmate:
        wants = trailmate.set_preferences("a b", access_needs=["captions"], minutes_per_day=20)
        goal = trailmate.set_goal("a b", ["s"], by=date(2026, 12, 18), ceiling=90)
        known, other = trailmate.know_it("a b", skills=["s"]), trailmate.contest("a b", resource_id="r")
    assert (wants.preferences.access_needs, goal.message, known.seen_token, other.checks) == (
        ("captions",), "No bundle", "s3", (),
    )  # fmt: skip
    ids = [body.pop("event_id") for _, path, _, body in seen.requests if path.endswith("/voice")]
    assert len(set(ids)) == 2
    assert [(method, path, body) for method, path, _, body in seen.requests] == [
        ("PUT", "/v1/learners/a%20b/preferences", {"access_needs": ["captions"], "minutes_per_day": 20}),
        ("PUT", "/v1/learners/a%20b/goal", {"skills": ["s"], "by": "2026-12-18", "floor": 0.0, "ceiling": 90}),
        ("POST", "/v1/learners/a%20b/voice", {"voice": "know_it", "skills": ["s"]}),
        ("POST", "/v1/learners/a%20b/voice", {"voice": "contest", "resource_id": "r"}),
    ]


def test_words_classes_and_paths_go_to_their_doors(service: tuple[str, Seen]) -> None:
    url, seen = service
    step = {
        "skill_id": "s",
        "title": "S",
        "status": "next",
        "mastery": 0.5,
        "minutes": 9,
        "minutes_so_far": 9,
        "steps": 1,
    }
    seen.answers = [
        answering(200, {"event_id": "e", "holds_until": "2026-09-16T04:00:00Z", "checks": []}),
        answering(200, {"event_id": "v", "voids": "a/b", "seen_token": "s4"}),
        answering(200, {"decisions": [ANSWER]}),
        answering(200, {"learner_id": "lena", "goal": ["s"], "steps": [step], "choices": ["s"]}),
    ]
    with client(url) as trailmate:
        heard = trailmate.say("lena", "not_now", "r1", decision_id="d1")
        undone = trailmate.undo("lena", "a/b")
        [decision] = trailmate.recommend_batch(class_id="7b", explore=True, seed=0, goal=["s"])
        path = trailmate.path("lena", choose="s", goal=["s", "t"])
    assert (heard.holds_until, undone.voids) == (datetime(2026, 9, 16, 4, tzinfo=UTC), "a/b")
    assert (decision.slate[0].resource_id, path.steps[0].status, path.choices) == ("r1", "next", ("s",))
    assert "lena" not in repr((decision, path))
    said = seen.requests[0][3]
    assert isinstance(said, dict)
    assert said.pop("event_id")
    assert [(method, path, body) for method, path, _, body in seen.requests] == [
        ("POST", "/v1/learners/lena/voice", {"voice": "not_now", "resource_id": "r1", "decision_id": "d1"}),
        ("DELETE", "/v1/learners/lena/voice/a%2Fb", None),
        ("POST", "/v1/recommendations/batch", {"class_id": "7b", "k": 5, "explore": True, "seed": 0, "goal": ["s"]}),
        ("GET", "/v1/learners/lena/path?goal=s&goal=t&choose=s", None),
    ]


def test_url_and_key_come_from_the_environment(service: tuple[str, Seen], monkeypatch: pytest.MonkeyPatch) -> None:
    url, seen = service
    seen.answers = [answering(200, {"status": "ready"})]
    monkeypatch.setenv("TRAILMATE_URL", url)
    monkeypatch.setenv("TRAILMATE_KEY", KEY)
    with Trailmate() as trailmate:
        assert trailmate.ready()


@pytest.mark.parametrize(
    ("url", "key"),
    [("ftp://school", KEY), ("school:8000", KEY), ("", "schlüssel"), ("http://x:notaport", KEY), ("", "a\nb")],
)
def test_a_bad_url_or_key_is_one_sentence(url: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAILMATE_URL", raising=False)
    with pytest.raises(BadInput) as caught:
        Trailmate(url, key=key)
    assert key not in str(caught.value)


def test_no_key_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAILMATE_KEY", raising=False)
    with pytest.raises(BadInput, match="trailmate keys create"):
        Trailmate("http://127.0.0.1:1")


def test_importing_the_front_door_is_light() -> None:
    code = "import sys, trailmate; print([m for m in ('numpy', 'polars', 'httpx', 'fastapi') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_peers_and_groups_are_read_as_the_service_tells_them(service: tuple[str, Seen]) -> None:
    url, seen = service
    examples = json.loads(files("serving").joinpath("examples.json").read_text("utf-8"))
    with Trailmate(url, key=KEY) as trailmate:
        seen.answers = [answering(200, examples["CollaboratorsOut"])]
        told = trailmate.collaborators("lena", k=1, class_id="7b")
        assert (told.options[0].mode, told.options[0].learner_id) == ("helper", "ali")
        assert told.options[0].benefit is not None
        assert "ali" not in repr(told)
        seen.answers = [answering(200, examples["GroupsOut"])]
        groups = trailmate.groups("7b", size=2, proposals=1)
        assert groups.proposals[0].groups[0].learner_ids == ("ali", "lena")
        seen.answers = [answering(200, examples["GroupingOut"])]
        kept = trailmate.keep_groups("week 38", "7b", [["ali", "lena"]], proposed=[["ali", "kim"]])
        assert (kept.pairs, "ali" in repr(kept)) == (1, False)
        seen.answers = [answering(200, examples["GroupingsOut"])]
        assert trailmate.groupings("7b", limit=5).groupings[0].grouping_id == "week-38"
    assert [(method, path) for method, path, *_ in seen.requests] == [
        ("POST", "/v1/collaborators"),
        ("POST", "/v1/groups"),
        ("PUT", "/v1/groups/week%2038"),
        ("GET", "/v1/groups?class_id=7b&limit=5"),
    ]
    body = {"class_id": "7b", "groups": [{"learner_ids": ["ali", "lena"]}], "proposed": [["ali", "kim"]], "mode": None}
    assert seen.requests[2][3] == {**body, "at": None}


def test_groups_are_kept_with_all_that_the_door_takes_and_taken_back(service: tuple[str, Seen]) -> None:
    url, seen = service
    examples = json.loads(files("serving").joinpath("examples.json").read_text("utf-8"))
    seen.answers = [answering(200, {**examples["GroupingOut"], "notes": ["groups[0] is noted"]})]
    red = {"learner_ids": ["ali", "lena"], "group_id": "red", "resource_id": "pizza-project", "title": "A wall"}
    with Trailmate(url, key=KEY) as trailmate:
        kept = trailmate.keep_groups("week/38", "7b", [red, ["kim"]], at=datetime(2026, 9, 15, 10, tzinfo=UTC))
        assert kept.notes == ("groups[0] is noted",)
        trailmate.delete_groups("week/38")
    assert [(method, path) for method, path, *_ in seen.requests] == [
        ("PUT", "/v1/groups/week%2F38"),
        ("DELETE", "/v1/groups/week%2F38"),
    ]
    body = seen.requests[0][3]
    assert isinstance(body, dict)
    assert (body["groups"], body["at"]) == ([red, {"learner_ids": ["kim"]}], "2026-09-15T10:00:00Z")


@pytest.mark.parametrize(
    ("told", "conflict"),
    [
        ({"rules": [1], "rule_ids": ["apart"], "locked": []}, {"rules": (1,), "rule_ids": ("apart",), "locked": ()}),
        (["new", "old"], ("new", "old")),
        (None, ()),
        ([{"odd": 1}], ()),
    ],
)
def test_rules_that_cannot_all_hold_come_with_the_error(
    service: tuple[str, Seen], told: object, conflict: object
) -> None:
    url, seen = service
    problem = {"detail": "ali and these cannot all hold", "conflict": told}
    seen.answers = [answering(409, problem)]
    with Trailmate(url, key=KEY) as trailmate, pytest.raises(Conflict, match="cannot all hold") as caught:
        trailmate.keep_groups("w", "7b", [{"learner_ids": ["ali"]}])
    assert caught.value.conflict == conflict
    assert isinstance(caught.value, BadInput)
    assert "ali" not in str(caught.value)


def test_sharing_is_sent_only_where_it_is_told(service: tuple[str, Seen]) -> None:
    url, seen = service
    seen.answers = [answering(200, {})]
    with Trailmate(url, key=KEY) as trailmate:
        for record in ({}, {"sharing": None}, {"sharing": False}):
            trailmate.put_learner({"learner_id": "lena", **record})
        trailmate.put_learner(Learner(learner_id="lena"))
    sent = [body for *_, body in seen.requests]
    assert [body.get("sharing", "untold") for body in sent if isinstance(body, dict)][:3] == ["untold", None, False]
    assert "sharing" not in sent[3]
