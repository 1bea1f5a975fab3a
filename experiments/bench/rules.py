"""What rules cost a decision and a preview: an invented catalogue, medians, one core."""

import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np

from engine.domain.catalogue import catalogue_of
from engine.domain.history import History
from engine.domain.resource import Resource
from engine.domain.rule import Rule, Scope, What
from engine.rules.admission import Admission, added_by_rules, admitted
from engine.rules.compiled import book_of
from engine.rules.matching import contents_of
from engine.rules.outcome import Ranked, Situation
from engine.rules.preview import Scored, previewed, rows_to_score, under
from engine.rules.scope import Who
from engine.rules.stage import decided

_FORMATS = ("video", "exercise", "reading", "project")
_CALLS, _CLASS, _SHORTLIST = 400, 30, 200
_UTC = ZoneInfo("UTC")


def rules(sizes: tuple[int, ...] = (1_000, 10_000, 100_000)) -> str:
    """Median microseconds of each part, and the first part in reads of a mask of the catalogue."""
    head = (
        "| resources | rules | let in, µs | in reads of the mask | the whole stage, µs | compile all, ms "
        "| one plan, ms | preview for 30, ms |"
    )
    return "\n".join([head, "|--:|--:|--:|--:|--:|--:|--:|--:|", *(_row(n) for n in sizes)])


def twenty_rules(n: int) -> list[Rule]:
    """Twenty rules as a school might have them: what is hidden, what comes first, bands, caps, quotas, a pin."""

    def rule(i: int, verb: str, value: object = None, *, strength: str = "hard", **what: tuple[str, ...]) -> Rule:
        scope = Scope(class_id="7b") if i % 3 else Scope()
        return Rule(rule_id=f"r{i:02d}", verb=verb, value=value, strength=strength, scope=scope, what=What(**what))

    hidden = [rule(i, "hide", skills=(f"s{7 * i:05d}", f"s{7 * i + 1:05d}")) for i in range(8)]
    lifted = [rule(8 + i, "boost" if i % 2 else "demote", 2, strength="soft", tags=(f"t{i}",)) for i in range(4)]
    return [
        *hidden, *lifted,
        rule(12, "hide", tags=("draft",)),
        rule(13, "only", tags=("core",)),
        rule(14, "require_first", skills=(f"s{n // 20:05d}",)),
        rule(15, "success_band", [0.5, 0.95]),
        rule(16, "cap_minutes", {"day": 40}),
        rule(17, "formats", {"min": {"project": 1}, "max": {"video": 2}}),
        rule(18, "pin", resources=(f"x{n // 2 + 1:06d}",)),
        rule(19, "set_mastery", 0.9, skills=("s00003",)),
    ]  # fmt: skip


class _Bench:
    """A catalogue of `n`, and one learner under twenty rules."""

    def __init__(self, n: int) -> None:
        self.n, self.rng = n, np.random.default_rng(0)
        catalogue = catalogue_of(
            Resource(
                resource_id=f"x{i:06d}", title=f"X {i}", format=_FORMATS[i % 4], skills=(f"s{i // 10:05d}",),
                tags=(f"t{i % 50}", *(("core",) if i % 5 else ()), *(("draft",) if i % 97 == 0 else ())), minutes=8.0,
            )
            for i in range(n)
        )  # fmt: skip
        self.contents = contents_of(catalogue)
        self.rules = twenty_rules(n)
        self.book = book_of(self.rules, self.contents)
        self.who = Who(learner_id="l", class_ids=("7b",))
        self.candidates = self.rng.random(n) < 0.95
        self.offered = np.ones(n, bool)
        seen = np.flatnonzero(~self.candidates)[:200].astype(np.int32)
        self.history = History(seen, np.arange(len(seen), dtype=np.int64))
        self.scores, self.situation = self.rng.random(n), Situation(spent_today=10.0, spent_this_week=10.0)

    def let_in(self) -> Admission:
        """The first half, with what the rules add to scores."""
        return admitted(self.book.plan(self.who, 0), self.candidates, offered=self.offered, history=self.history)

    def ranked(self, admission: Admission) -> Ranked:
        """An order by score, and chances for the shortlist."""
        added = added_by_rules(admission, 1.0)
        order = np.argsort(-(self.scores[admission.rows] + added), kind="stable")
        p = np.full(len(admission.rows), np.nan)
        p[order[:_SHORTLIST]] = self.rng.uniform(0.3, 1.0, len(order[:_SHORTLIST]))
        minutes = np.full(len(admission.rows), 8.0)
        return Ranked(order=order[admission.own[order]], p=p, minutes=minutes, added=added)

    def scored(self, number: int) -> Scored:
        """One learner of a class, scored once for both sides of a preview."""
        rows = rows_to_score(self.candidates, self.offered, [self.book.plan(self.who, 0)])
        return Scored(
            who=Who(learner_id=f"l{number}", class_ids=("7b",)), rows=rows, scores=self.rng.random(len(rows)),
            p=np.full(len(rows), np.nan), minutes=np.full(len(rows), 8.0), candidates=self.candidates,
            offered=self.offered, tie_break=np.arange(self.n), history=self.history, situation=self.situation,
        )  # fmt: skip


def _row(n: int) -> str:
    bench = _Bench(n)
    admission = bench.let_in()
    ranked = bench.ranked(admission)
    allowed = bench.book.plan(bench.who, 0).allowed
    read = _median(lambda: allowed.sum())
    let_in = _median(bench.let_in)
    stage = _median(lambda: decided(admission, ranked, bench.situation, k=5))
    compiled = _median(lambda: book_of(bench.rules, bench.contents), calls=20)

    def plan() -> object:
        bench.book.plans.clear()
        return bench.book.plan(bench.who, 0)

    made = _median(plan, calls=20)
    learners = [bench.scored(i) for i in range(_CLASS)]
    draft = Rule(rule_id="draft", verb="hide", what=What(formats=("video",)), scope=Scope(class_id="7b"))

    def preview() -> object:
        new = book_of([*bench.rules, draft], bench.contents)
        return previewed(learners, under(bench.book, 0), under(new, 0))

    shown = _median(preview, calls=5)
    return (
        f"| {n:,} | {len(bench.rules)} | {let_in * 1e6:.1f} | {let_in / read:.1f} | {stage * 1e6:.0f} | "
        f"{compiled * 1e3:.2f} | {made * 1e3:.2f} | {shown * 1e3:.0f} |"
    )


def _median(call: Callable[[], object], calls: int = _CALLS) -> float:
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
