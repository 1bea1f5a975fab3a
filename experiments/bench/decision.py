"""What a decision takes in-process, alone and in a class, by the size of the catalogue: time of one processor."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from engine.bundle import read_bundle
from engine.domain.decision import Request
from engine.domain.history import History, history_of
from engine.domain.query import query_with
from engine.domain.rule import Rule, Scope, What
from engine.last_stage import Rules
from engine.learner.fold import folded
from engine.learner.state import LearnerState
from engine.recommender import Ask, Recommender, recommend_each, recommender_of
from engine.rules.compiled import RuleBook, book_of
from engine.rules.matching import contents_of
from engine.rules.scope import Who
from training.log import add_to_log, interactions_of, read_log, resources_of, skills_of
from training.pipeline import train
from training.relevance_models import ModelSettings

MORNING = datetime(2026, 1, 5, 8, tzinfo=UTC)
_FORMATS = ("video", "exercise", "reading", "project")
_LEARNERS, STEPS, _CALLS, CLASS = 600, 40, 15, 30


def decision(work: Path, sizes: tuple[int, ...] = (1_000, 10_000, 100_000)) -> str:
    """Median microseconds of a decision under twenty rules, alone and in a class of thirty, by what may be kept."""
    head = (
        "| resources | objective | trees | one, new event | one, asked again | each of 30, new events | asked again |"
    )
    rows = [head + " class of 30, in ones |", "|--:|--|--|--:|--:|--:|--:|--:|"]
    for n in sizes:
        with_trees = _prepared(work / str(n), n)
        assert with_trees.recommender.model is not None
        plain = replace(with_trees.recommender, model=replace(with_trees.recommender.model, ranker=None))
        for objective in ("uptake", "learning"):
            for trees, bench in (("no", replace(with_trees, recommender=plain)), ("yes", with_trees)):
                one, again, each, each_again = (
                    bench.median(objective, together=together, kept=kept)
                    for together in (False, True)
                    for kept in (False, True)
                )
                rows.append(
                    f"| {n:,} | {objective} | {trees} | {one:.0f} | {again:.0f} | {each:.0f} | {each_again:.0f} | "
                    f"{CLASS * each / one:.1f}, {CLASS * each_again / again:.1f} |"
                )
    return "\n".join(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """Thirty learners of one class beside what answers them."""

    recommender: Recommender
    histories: list[History]
    states: list[LearnerState]
    goals: list[tuple[str, ...]]
    book: RuleBook

    def median(self, objective: str, *, together: bool, kept: bool) -> float:
        """Microseconds for each learner, asked for alone or together; what is kept of them counts, or nothing is.

        Every call asks a second later. The least of a few rounds counts for each learner, the median among learners.
        """
        least = np.full(CLASS, np.inf)
        groups = [list(range(CLASS))] if together else [[i] for i in range(CLASS)]
        for turn in range(_CALLS):
            for group in groups:
                asks = [self._ask(i, objective, turn=turn, kept=kept) for i in group]
                took = _timed(partial(recommend_each, asks, self.recommender)) / len(group)
                least[group] = np.minimum(least[group], took)
        return float(np.median(least)) * 1e6

    def _ask(self, i: int, objective: str, *, turn: int, kept: bool) -> Ask:
        history = self.histories[i]
        if not kept:
            history = History(history.resource_index, history.at_us)
        now = MORNING + timedelta(days=STEPS, seconds=turn)
        name = f"l{i:04d}"
        return Ask(
            request=Request(learner_id=name, objective=objective, goal=self.goals[i], k=5),
            query=query_with(name, learner=None, history=history, classes={}, now=now),
            decision_id="d",
            now=now,
            state=self.states[i],
            rules=Rules(book=self.book, who=Who(learner_id=name, class_ids=("7b",))),
        )


def _prepared(place: Path, n: int) -> _Bench:
    """A recommender over `n` resources, and a class to ask it for."""
    trained_on(place, n)
    log, bundle = read_log(place / "log"), read_bundle(place / "bundle")
    recommender = recommender_of(bundle, list(resources_of(log.resources())), skills=skills_of(log.skills()))
    events = list(interactions_of(log.interactions().filter(pl.col("learner_id") < f"l{CLASS:04d}").collect()))
    assert recommender.learner is not None
    own = [[e for e in events if e.learner_id == f"l{i:04d}"] for i in range(CLASS)]
    return _Bench(
        recommender=recommender,
        histories=[history_of(some, recommender.catalogue.resource_map) for some in own],
        states=[folded(some, recommender.learner, recommender.offer) for some in own],
        goals=[tuple(f"s{(7 * i + j) % (n // 10):05d}" for j in range(4)) for i in range(CLASS)],
        book=book_of(twenty_masks(n), contents_of(recommender.catalogue)),
    )


def twenty_masks(n: int) -> list[Rule]:
    """Twenty rules that are masks over the catalogue: what is hidden, shown alone, raised or lowered."""

    def rule(i: int, verb: str, value: object = None, *, strength: str = "hard", **what: tuple[str, ...]) -> Rule:
        scope = Scope(class_id="7b") if i % 3 else Scope()
        return Rule(rule_id=f"r{i:02d}", verb=verb, value=value, strength=strength, scope=scope, what=What(**what))

    skills = [f"s{k:05d}" for k in range(n // 10)]
    hidden = [rule(i, "hide", skills=tuple(skills[7 * i : 7 * i + 2])) for i in range(13)]
    lifted = [
        rule(13 + i, "boost" if i % 2 else "demote", 2, strength="soft", skills=tuple(skills[i::7][:1_000]))
        for i in range(6)
    ]
    return [*hidden, *lifted, rule(19, "only", formats=_FORMATS)]


def trained_on(place: Path, n: int) -> None:
    """A log over `n` resources in `place / "log"` and its bundle in `place / "bundle"`, unless they are there."""
    if not (place / "bundle").exists():
        place.mkdir(parents=True, exist_ok=True)
        _write_log(place / "log", n)
        train(place / "log", place / "bundle", settings=ModelSettings(factor_epochs=3), seed=0, report=_quietly)


def _write_log(folder: Path, n: int) -> None:
    """Learners who wander over neighbouring resources of their own corner of the catalogue."""
    rng = np.random.default_rng(0)
    start = rng.integers(0, n, _LEARNERS)
    rows = [
        (
            f"e{u}-{t}", f"l{u:04d}", f"r{(start[u] + int(rng.exponential(20.0)) + t) % n:06d}",
            MORNING + timedelta(days=t, minutes=int(u)), float(rng.random() < 0.6), float(rng.uniform(20, 200)),
        )
        for u in range(_LEARNERS)
        for t in range(STEPS)
    ]  # fmt: skip
    columns = ["event_id", "learner_id", "resource_id", "at", "outcome", "duration_s"]
    events = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        kind=pl.lit("attempted"), source=pl.lit("bench"), at=pl.col("at").cast(pl.Datetime("us", "UTC"))
    )
    resources = pl.DataFrame(
        [(f"r{i:06d}", f"r{i}", _FORMATS[i % 4], [f"s{i // 10:05d}"], 8.0) for i in range(n)],
        schema=["resource_id", "title", "format", "skills", "minutes"], orient="row",
    )  # fmt: skip
    skills = pl.DataFrame(
        [(f"s{k:05d}", f"s{k}", [f"s{k - 1:05d}"] if k % 5 else []) for k in range(n // 10)],
        schema={"skill_id": pl.String(), "title": pl.String(), "prerequisites": pl.List(pl.String())}, orient="row",
    )  # fmt: skip
    add_to_log(
        folder, interactions=[events], resources=resources, skills=skills, source="bench",
        now=MORNING + timedelta(days=99), report=_quietly,
    )  # fmt: skip


def _quietly(_what: str, _share: float) -> None:
    """No progress: what is measured comes later."""


def _timed(call: Callable[[], object]) -> float:
    """Seconds of the processor: others who are at work on this machine do not count."""
    start = time.thread_time()
    call()
    return time.thread_time() - start
