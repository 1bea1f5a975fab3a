"""How good groups are: against a mixed-integer program of the same rules, in time, and as a class grows."""

import time
from dataclasses import dataclass

import numpy as np

from engine.collaborators import exact
from engine.collaborators.counts import Count, counts_of, weighted_broken
from engine.collaborators.proposals import Grouping
from engine.collaborators.propose import Effort, propose
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Spec, layouts_of, spec_of

_PEER_SECONDS = 10.0
# How much the program's objective holds of the distance of group means, so that it too looks for a small spread.
_PEER_SPREAD = 0.5
_TEAMS: tuple[dict[str, object], ...] = (
    {"verb": "no_one_alone", "by": "gender", "value": "f", "weight": 2},
    {"verb": "no_one_alone", "by": "origin", "value": ["b", "h"]},
    {"verb": "cluster", "by": "project"},
    {"verb": "distribute", "by": "major"},
    {"verb": "at_least_one", "by": "can_code", "value": "y"},
    {"verb": "at_least_one", "by": "can_write", "value": "y"},
    {"verb": "at_least_one", "by": "can_build", "value": "y"},
    {"verb": "balance", "by": "gpa"},
)
_CLASSROOM: tuple[dict[str, object], ...] = (
    {"verb": "friends", "by": "friends"},
    {"verb": "avoid_repeat"},
    {"verb": "no_one_alone", "by": "gender"},
    {"verb": "distribute", "by": "major", "weight": 2},
    {"verb": "at_least_one", "by": "can_code", "value": "y", "weight": 3},
    {"verb": "balance", "by": "gpa", "tolerance": 0.3},
    {"verb": "balance", "by": "hours"},
    {"verb": "keep_apart", "strength": "soft", "weight": 3},
)
MIXES = {"project teams": _TEAMS, "classroom": _CLASSROOM}


@dataclass(frozen=True, slots=True)
class Result:
    """What a grouping came to, and what it took of wall and processor seconds."""

    broken: float
    spread: float
    seconds: float
    processor: float


def invented(n: int, seed: int, mix: str) -> tuple[Roster, Spec]:
    """A class of `n` and eight soft rules for groups of four."""
    rng = np.random.default_rng([n, seed])
    ids = tuple(f"l{i:04d}" for i in range(n))

    def drawn(values: str, shares: list[float]) -> tuple[str, ...]:
        return tuple(str(value) for value in rng.choice(values.split(), n, p=shares))

    roster = Roster(
        ids,
        {
            "gender": drawn("f m", [0.35, 0.65]),
            "origin": drawn("a b h w", [0.15, 0.08, 0.1, 0.67]),
            "project": drawn("p1 p2 p3 p4 p5 p6", [0.25, 0.2, 0.2, 0.15, 0.1, 0.1]),
            "major": drawn("me cs ce ee", [0.3, 0.3, 0.2, 0.2]),
            "can_code": drawn("y n", [0.4, 0.6]),
            "can_write": drawn("y n", [0.3, 0.7]),
            "can_build": drawn("y n", [0.35, 0.65]),
            "gpa": tuple(f"{x:.2f}" for x in np.clip(rng.normal(3.0, 0.5, n), 0, 4)),
            "hours": tuple(f"{x:.0f}" for x in rng.gamma(4, 4, n)),
            "friends": tuple(";".join(ids[j] for j in rng.choice(n, 2)) for _ in range(n)),
        },
    )
    past = [
        {"learner_id": ids[i], "group": str(at // 4), "round": str(r)}
        for r in range(3)
        for at, i in enumerate(rng.permutation(n))
    ]
    own: dict[str, dict[str, object]] = {
        "avoid_repeat": {"past": past},
        "keep_apart": {"learners": [ids[i] for i in rng.choice(n, min(n, 8), replace=False)]},
    }
    rules = [{**rule, **own.get(str(rule["verb"]), {})} for rule in MIXES[mix]]
    return roster, spec_of({"size": 4, "rules": rules})


def groups(n: int = 100, seeds: tuple[int, ...] = (0, 1, 2)) -> str:
    """Breaks and spread beside the program's, then seconds as a class grows: tables in Markdown."""
    rows = [
        "| class of 100, eight soft rules | broken | spread of means | wall s | processor s | bound |",
        "|--|--:|--:|--:|--:|--:|",
    ]
    for mix in MIXES:
        for seed in seeds:
            own, bound, peer = compared(n, seed, mix)
            rows.append(f"| {mix} {seed}, trailmate | {_cells(own)} | {bound:.1f} |")
            rows.append(f"| {mix} {seed}, milp | {_cells(peer)} | |")
    return "\n".join([*rows, "", *_growth()])


def compared(n: int, seed: int, mix: str, *, peer_seconds: float = _PEER_SECONDS) -> tuple[Result, float, Result]:
    """Ours, its bound, and the program given so many processor seconds."""
    roster, spec = invented(n, seed, mix)
    began, processor = time.perf_counter(), time.process_time()
    found = propose(roster, spec, Effort(seed=seed), clock=time.perf_counter)
    took, processor = time.perf_counter() - began, time.process_time() - processor
    assert isinstance(found, Grouping)
    own = Result(found.proposals[0].broken, _spread(found.proposals[0].counts), took, processor)
    (layout,) = layouts_of(spec.size, n)
    # Where others use the machine too, the program gets as much more of the clock.
    limit = exact.Limits(peer_seconds * max(took / processor, 1.0), nodes=10**9)
    began, processor = time.perf_counter(), time.process_time()
    told = exact.solved(roster, spec, layout, limit, spread=_PEER_SPREAD / layout.n_groups)
    took, processor = time.perf_counter() - began, time.process_time() - processor
    if told.groups is None:
        return own, found.bound, Result(float("nan"), float("nan"), took, processor)
    counts = counts_of(roster, spec, told.groups, layout.n_groups)
    return own, found.bound, Result(weighted_broken(counts), _spread(counts), took, processor)


def _growth() -> list[str]:
    rows = ["| learners | first answer, ms | whole search, s | broken | bound |", "|--:|--:|--:|--:|--:|"]
    for n in (30, 100, 300, 1_000):
        roster, spec = invented(n, 0, "project teams")
        found = propose(roster, spec, Effort(), clock=time.process_time)
        assert isinstance(found, Grouping)
        best = found.proposals[0]
        rows.append(
            f"| {n:,} | {found.first_seconds * 1e3:.0f} | {found.seconds:.1f} | {best.broken:.0f} | {found.bound:.0f} |"
        )
    return rows


def _spread(counts: tuple[Count, ...] | list[Count]) -> float:
    """The standard deviation of group means as a share of what chance makes it, the mean over balances."""
    return float(np.mean([count.finer**0.5 for count in counts if count.rule.verb == "balance"]))


def _cells(result: Result) -> str:
    return f"{result.broken:.1f} | {result.spread:.3f} | {result.seconds:.1f} | {result.processor:.1f}"
