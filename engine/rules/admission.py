"""The first half of the last stage: which candidates the rules let in, and which resources they call in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import History
from engine.domain.rule import Rule
from engine.rules.matching import Mask, Rows
from engine.rules.plan import Demand, Plan, Words, packed

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _UnderRules:
    """What the rules of a `plan` make of a learner's candidates, whichever of them are looked at.

    `own` says which may be shown on their own account; the others are there because rules put them in. `wanted` are the
    demands still to be met, `absent` those of what is not on offer. `candidates` `(n_resources,)` is what there was
    before the rules, `taken_out` how many of them each rule takes out, `lifted` how many it raises or lowers.
    """

    plan: Plan
    own: Mask
    wanted: tuple[Demand, ...]
    absent: tuple[Demand, ...]
    candidates: Mask
    taken_out: Mapping[str, int]
    lifted: Mapping[str, int]
    history: History


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission(_UnderRules):
    """What is worth scoring: `rows` `(n,)` int32 of the catalogue, ascending; `own` is `(n,)`."""

    rows: Rows

    def position(self, row: int) -> int:
        """The position of a row of the catalogue; it must be among `rows`."""
        return int(np.searchsorted(self.rows, row))


@dataclass(frozen=True, slots=True, kw_only=True)
class LetIn(_UnderRules):
    """What the rules let in, before anybody knows which rows of it are worth scoring.

    `looked_at` `(n_resources,)` says what may be among them; `own` is `(n_resources,)`.
    """

    looked_at: Mask

    def at(self, rows: NDArray[np.integer[Any]]) -> Admission:
        """The admission of some of its rows alone, ascending."""
        return Admission(
            plan=self.plan,
            rows=rows.astype(np.int32),
            own=self.own[rows],
            wanted=self.wanted,
            absent=self.absent,
            candidates=self.candidates,
            taken_out=self.taken_out,
            lifted=self.lifted,
            history=self.history,
        )


def let_in(plan: Plan, candidates: Mask, *, offered: Mask, history: History) -> LetIn:
    """What of the `candidates` the rules let in, and what they put in out of all that is `offered`.

    Both `(n_resources,)`. `offered` is what may be shown to this learner at all: available now, meeting their access
    needs and languages, seen or not. `history` says which assigned work is done.
    """
    own = candidates & plan.allowed
    wanted, absent = [], []
    for demand in plan.demands:
        if demand.row < 0 or not offered[demand.row]:
            absent.append(demand)
        elif (left := _undone(demand, history)) is not None:
            wanted.append(left)
    called = [d.row for d in wanted if not own[d.row]]
    looked_at = own
    if called:
        looked_at = own.copy()
        looked_at[called] = True
    bits = packed(candidates) if plan.bars or plan.lifts else packed(own[:0])
    return LetIn(
        plan=plan,
        looked_at=looked_at,
        own=own,
        wanted=tuple(wanted),
        absent=tuple(absent),
        candidates=candidates,
        taken_out=_counted(plan.bars, plan.out, bits),
        lifted=_counted([part.rule for part in plan.lifts], plan.lifted, bits),
        history=history,
    )


def admitted(plan: Plan, candidates: Mask, *, offered: Mask, history: History) -> Admission:
    """The admission of all that the rules let in; what is given is as for `let_in`."""
    found = let_in(plan, candidates, offered=offered, history=history)
    return found.at(np.flatnonzero(found.looked_at))


def _counted(rules: Sequence[Rule], rows: Words, candidates: Words) -> dict[str, int]:
    """How many candidates are among the rows of each rule."""
    if not rules:
        return {}
    counts = np.bitwise_count(rows & candidates).sum(axis=1).tolist()
    return {rule.rule_id: n for rule, n in zip(rules, counts, strict=True)}


def added_by_rules(admission: Admission, scale: float) -> Floats:
    """What boosts and demotions add to the score of each of `rows`: `(n,)`; `scale` is the span of the scores."""
    lift = admission.plan.lift
    return np.zeros(len(admission.rows)) if lift is None else scale * lift[admission.rows]


def lifts_of(admission: Admission, position: int, scale: float) -> list[tuple[Rule, float]]:
    """What each boost and demotion adds to the score at a position; together what `added_by_rules` says."""
    return [(rule, scale * share) for rule, share in admission.plan.lifting(int(admission.rows[position]))]


def done(demand: Demand, rule: Rule, history: History) -> bool:
    """Whether work that a rule assigned was taken up since; pinned work stays while its rule is in force."""
    if rule.verb == "pin":
        return False
    since = demand.since_us[demand.rules.index(rule)]
    return bool(((history.resource_index == demand.row) & (history.at_us >= since)).any())


def _undone(demand: Demand, history: History) -> Demand | None:
    """The demand without the rules whose work is done; None where nothing is left of it."""
    left = [(r, s) for r, s in zip(demand.rules, demand.since_us, strict=True) if not done(demand, r, history)]
    if len(left) == len(demand.rules):
        return demand
    if not left:
        return None
    return Demand(
        resource_id=demand.resource_id, row=demand.row, rules=tuple(r for r, _ in left), pinned=demand.pinned,
        hard=any(r.strength == "hard" for r, _ in left), due=demand.due, since_us=tuple(s for _, s in left),
    )  # fmt: skip
