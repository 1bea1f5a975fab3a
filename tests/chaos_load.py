"""A school under load that keeps its own books: what was sent, what was acknowledged, and what each answer held."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

N_RESOURCES = 60
CLASSES = ("a", "b", "c")
HIDDEN = frozenset(f"r{i:02d}" for i in range(N_RESOURCES) if i % 10 == 3)
UNIT = frozenset(f"r{i:02d}" for i in range(N_RESOURCES) if i % 2)
PINNED = "r07"
OWN = frozenset({"r05", "r06", "r11"})

RESOURCES = [
    {
        "resource_id": f"r{i:02d}", "title": f"Resource {i}", "position": i, "minutes": 10, "skills": [f"s{i % 7}"],
        "format": ("video", "exercise")[i // 2 % 2],
        "tags": [*(["draft"] if f"r{i:02d}" in HIDDEN else []), *(["unit"] if f"r{i:02d}" in UNIT else [])],
    }
    for i in range(N_RESOURCES)
]  # fmt: skip
RULES = [
    {"id": "no-drafts", "verb": "hide", "what": {"tags": ["draft"]}},
    {"id": "this-unit", "verb": "only", "scope": {"class_id": "b"}, "what": {"tags": ["unit"]}},
    {"id": "read-this", "verb": "pin", "scope": {"class_id": "c"}, "what": {"resources": [PINNED]}},
    {"id": "not-these", "verb": "hide", "scope": {"learner_id": "l000"}, "what": {"resources": sorted(OWN)}},
]
# Waits longer than the server's own patience (one second for a key, one for a look, two in the crowd).
_PATIENCE_S = 10.0


def _name(number: int) -> str:
    return f"l{number:03d}"


def class_of(number: int) -> str:
    return CLASSES[number % 3]


def broken_rules(number: int, slate: list[dict[str, Any]], mode: str = "personalised") -> list[str]:
    """The ids of the hard rules that this slate of a learner breaks.

    Everybody has told something, so in mode `cold` the store is away and nothing newer is at hand. Whoever is not at
    hand at all may be in any class: they see nothing that any class is not to see, and nothing is asked of them.
    """
    shown = [option["resource_id"] for option in slate]
    broken = []
    if HIDDEN.intersection(shown):
        broken.append("no-drafts")
    if class_of(number) == "b" and not UNIT.issuperset(shown):
        broken.append("this-unit")
    is_stranger = mode == "cold" and UNIT.issuperset(shown)
    if class_of(number) == "c" and shown[:1] != [PINNED] and not is_stranger:
        broken.append("read-this")
    if number == 0 and OWN.intersection(shown):
        broken.append("not-these")
    return broken


@dataclass
class Books:
    """What happened; `phase` is what was being done to the servers at that moment."""

    phase: str = "calm"
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    owed: list[list[str]] = field(default_factory=list)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    times: dict[str, list[float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)
    last_refusal: str = ""
    n_duplicates: int = 0
    n_options: int = 0


class Load:
    """Learners who ask and apps that tell, until told to stop; every choice is drawn from `seed`.

    `url` gives the address for the next line, so that lines can go straight or through a proxy.
    """

    def __init__(self, url: Callable[[], str], key: str, *, n_learners: int, seed: int, pace_s: float = 0.08) -> None:
        self.books = Books()
        self._url = url
        self._head = {"Authorization": f"Bearer {key}"}
        self._n_learners = n_learners
        self._seed = seed
        self._pace_s = pace_s
        self._stopped = asyncio.Event()
        self._ids = 0

    async def prepare(self) -> None:
        """The school's offer, learners and rules, and one event of each learner."""
        everybody = range(self._n_learners)
        async with self._line() as app:
            done = [
                await app.put("/v1/resources", json={"resources": RESOURCES}),
                *[await app.put(f"/v1/classes/{x}", json={"title": x}) for x in CLASSES],
                *[await app.put(f"/v1/learners/{_name(i)}", json={"classes": [class_of(i)]}) for i in everybody],
                *[await app.post("/v1/rules", json=rule) for rule in RULES],
            ]  # fmt: skip
            assert all(answer.status_code in (200, 201, 204) for answer in done), [d.text for d in done if d.is_error]
            chance = random.Random(self._seed)
            for i in everybody:
                await self._told(app, [self._new_event(chance, i)])

    async def run(self, *, n_askers: int, n_tellers: int) -> None:
        """Ask and tell until stopped."""
        async with asyncio.TaskGroup() as all_of_them:
            for i in range(n_askers):
                all_of_them.create_task(self._ask_on(random.Random(f"{self._seed} asks {i}")))
            for i in range(n_tellers):
                all_of_them.create_task(self._tell_on(random.Random(f"{self._seed} tells {i}")))

    def stop(self) -> None:
        self._stopped.set()

    async def settle(self, within_s: float = 60.0) -> None:
        """Send what is still owed until it is acknowledged, and ask for everybody until all is as it should be."""
        end = time.monotonic() + within_s
        while self.books.owed:
            assert time.monotonic() < end, f"{len(self.books.owed)} batches not taken in: {self.books.last_refusal}"
            owed, self.books.owed = self.books.owed, []
            async with self._line() as app:
                for batch in owed:
                    await self._told(app, [self.books.events[x] for x in batch])
            if self.books.owed:
                await asyncio.sleep(0.1)
        for i in range(self._n_learners):
            while (mode := await self._asked_for(i)) != "personalised":
                assert time.monotonic() < end, f"answers of mode {mode}"
                await asyncio.sleep(0.1)

    async def _asked_for(self, number: int) -> str:
        async with self._line() as app:
            answer = await app.post("/v1/recommendations", json={"learner_id": _name(number)})
            return str(answer.json().get("mode", answer.status_code))

    def _line(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._url(), headers=self._head, timeout=_PATIENCE_S)

    async def _go_on(self, chance: random.Random, act: Callable[[httpx.AsyncClient], Awaitable[bool]]) -> None:
        """Do it again and again until stopped; on a new line now and then, as a line stays with who took it."""
        while not self._stopped.is_set():
            async with self._line() as app:
                for _ in range(20):
                    if self._stopped.is_set():
                        return
                    await asyncio.sleep(self._pace_s * chance.uniform(0.5, 1.5))
                    if not await act(app):
                        break

    async def _ask_on(self, chance: random.Random) -> None:
        await self._go_on(chance, lambda app: self._ask(app, chance.randrange(self._n_learners), chance))

    async def _ask(self, app: httpx.AsyncClient, number: int, chance: random.Random) -> bool:
        """One question; False where the line was lost."""
        books, phase = self.books, self.books.phase
        asked = {"learner_id": _name(number), "k": chance.randint(1, 6)}
        if chance.random() < 0.2:
            asked["objective"] = "learning"
        began = time.perf_counter()
        try:
            answer = await app.post("/v1/recommendations", json=asked)
        except httpx.HTTPError as problem:
            books.lost[type(problem).__name__, phase] += 1
            return False
        books.times.setdefault(phase, []).append(time.perf_counter() - began)
        books.statuses["ask", answer.status_code] += 1
        if answer.status_code != 200:
            is_shedding = answer.status_code == 503 and answer.headers.get("retry-after")
            if not is_shedding:
                books.faults.append(f"{answer.status_code} while {phase}: {answer.text[:300]}")
            return True
        told = answer.json()
        books.modes[told["mode"]] += 1
        books.n_options += len(told["slate"])
        wrong = broken_rules(number, told["slate"], told["mode"])
        if wrong:
            books.faults.append(f"{wrong} broken while {phase}, mode {told['mode']}, learner {number}")
        return True

    async def _tell_on(self, chance: random.Random) -> None:
        await self._go_on(chance, lambda app: self._told(app, self._batch(chance)))

    def _batch(self, chance: random.Random) -> list[dict[str, Any]]:
        """What is owed, or new events with some that were sent before among them."""
        books = self.books
        if books.owed and chance.random() < 0.5:
            batch = [books.events[x] for x in books.owed.pop(chance.randrange(len(books.owed)))]
        else:
            batch = [self._new_event(chance, chance.randrange(self._n_learners)) for _ in range(chance.randint(1, 8))]
        if chance.random() < 0.3:
            known = list(books.events)
            batch += [books.events[chance.choice(known)] for _ in range(3)]
        chance.shuffle(batch)
        return batch

    def _new_event(self, chance: random.Random, number: int) -> dict[str, Any]:
        """Each learner takes up a few resources of their own; every other event comes with its time."""
        self._ids += 1
        event: dict[str, Any] = {
            "event_id": f"e{self._ids:06d}",
            "learner_id": _name(number),
            "resource_id": f"r{(number * 7 + chance.randrange(12)) % N_RESOURCES:02d}",
            "kind": "attempted",
            "outcome": chance.choice([0.0, 0.5, 1.0]),
            "duration_s": float(chance.randint(20, 400)),
        }
        if self._ids % 2:
            event["at"] = time.time() - chance.uniform(0, 86_400)
            event["at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(event["at"]))
        self.books.events[event["event_id"]] = event
        return event

    async def _told(self, app: httpx.AsyncClient, batch: list[dict[str, Any]]) -> bool:
        """Send it; what is not acknowledged is owed. False where the line was lost."""
        books, phase = self.books, self.books.phase
        ids = [event["event_id"] for event in batch]
        try:
            answer = await app.post("/v1/events", json={"events": batch})
        except httpx.HTTPError as problem:
            books.lost[f"told {type(problem).__name__}", phase] += 1
            books.last_refusal = repr(problem)
            books.owed.append(ids)
            return False
        books.statuses["tell", answer.status_code] += 1
        if answer.status_code != 200:
            books.last_refusal = answer.text
            if answer.status_code != 503 or "retry-after" not in answer.headers:
                books.faults.append(f"events: {answer.status_code} while {phase}: {answer.text[:300]}")
            books.owed.append(ids)
            return True
        told = answer.json()
        refused = {ids[one["index"]] for one in told["rejected"]}
        books.n_duplicates += told["duplicates"]
        books.kept.update(x for x in ids if x not in refused)
        if refused:
            self._owed_or_wrong(refused, told, phase)
        return True

    def _owed_or_wrong(self, refused: set[str], told: dict[str, Any], phase: str) -> None:
        """A clock that was set back refuses what it takes for the future: to be sent again when it is right."""
        reasons = {one["reason"] for one in told["rejected"]}
        self.books.last_refusal = repr(reasons)
        if any("future" not in reason for reason in reasons):
            self.books.faults.append(f"events refused while {phase}: {reasons}")
        self.books.owed.append(sorted(refused))
