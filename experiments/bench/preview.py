"""How long a teacher waits to see and to save a rule for a class of thirty: an invented school, medians."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from engine.domain.learner import Learner
from experiments.bench.decision import CLASS, MORNING, STEPS, trained_on
from experiments.bench.rules import twenty_rules
from serving.approving import CurrentApprovals
from serving.current_bundle import bundle_at
from serving.current_rules import CurrentRules
from serving.desk import Office
from serving.kept_rules import RULE, record_of
from serving.previewing import preview as previewed
from serving.rulebook import Draft, Match, create, end
from serving.storage.opening import open_store
from serving.wire_rules import draft_of
from training.log import interactions_of, read_log, resources_of, skills_of

_CALLS = 15
_DRAFTS: dict[str, dict[str, object]] = {
    "hide all videos": {"verb": "hide", "what": {"formats": ["video"]}},
    "three skills first": {"verb": "require_first", "what": {"skills": ["s00003", "s00004", "s00005"]}},
    "chances of .6 to .9": {"verb": "success_band", "value": [0.6, 0.9]},
}


def preview(work: Path, sizes: tuple[int, ...] = (1_000, 10_000)) -> str:
    """Median and worst milliseconds of a preview and of saving, beside eleven other rules."""
    head = "| resources | draft | preview, median ms | worst ms | save, median ms |"
    rows = [head, "|--:|--|--:|--:|--:|"]
    for n in sizes:
        rows += asyncio.run(_measured(work / str(n), n))
    return "\n".join(rows)


async def _measured(place: Path, n: int) -> list[str]:
    trained_on(place, n)
    store_file = place / "preview.db"
    store_file.unlink(missing_ok=True)
    async with open_store(f"sqlite+aiosqlite:///{store_file}") as store:
        log = read_log(place / "log")
        learners = [f"l{i:04d}" for i in range(CLASS)]
        events = log.interactions().filter(pl.col("learner_id").is_in(learners)).collect()
        await store.catalogue.put_resources("t", list(resources_of(log.resources())))
        await store.catalogue.put_skills("t", list(skills_of(log.skills())))
        await store.people.put_learners("t", [Learner(learner_id=x, classes=("7b",)) for x in learners])
        await store.events.append("t", list(interactions_of(events)))
        office = Office(
            tenant="t",
            author="bench",
            store=store,
            bundles=bundle_at(place / "bundle"),
            rules=CurrentRules(store.rules, ZoneInfo("UTC")),
            approvals=CurrentApprovals(store.approvals),
            now=MORNING + timedelta(days=STEPS),
        )
        for rule in twenty_rules(n):
            # Eleven of them: this school has no tags.
            if not rule.what.tags and not rule.what.resources and rule.verb not in ("success_band", "require_first"):
                await create(
                    Draft(
                        rule_id=rule.rule_id, origin=RULE, verb=rule.verb, record=record_of(rule), rules=(rule,),
                        author="bench",
                    ),
                    office,
                )  # fmt: skip
        return [await _row(n, name, given, office) for name, given in _DRAFTS.items()]


async def _row(n: int, name: str, given: dict[str, object], office: Office) -> str:
    draft = draft_of({"id": "draft", "scope": {"class_id": "7b"}, **given}, office)
    told = await previewed(draft, office, k=5)
    assert told.n_looked_at == CLASS, told
    seen = [await _timed(lambda: previewed(draft, office, k=5)) for _ in range(_CALLS)]
    saving = []
    for i in range(_CALLS):
        one = draft_of({"id": f"{name}-{i}", "scope": {"class_id": "7b"}, **given}, office)
        saving.append(await _timed(lambda one=one: create(one, office)))  # type: ignore[misc]
        await end(one.rule_id, office, origin=RULE, match=Match())
    median, worst, save = float(np.median(seen)), max(seen), float(np.median(saving))
    return f"| {n:,} | {name} | {median * 1e3:.0f} | {worst * 1e3:.0f} | {save * 1e3:.0f} |"


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await call()
    return time.perf_counter() - start
