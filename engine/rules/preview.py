"""What a draft of a rule would change, learner by learner: scores are made once, only the last stage runs twice."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import History
from engine.rules.admission import added_by_rules, admitted
from engine.rules.compiled import RuleBook
from engine.rules.matching import Mask, Rows
from engine.rules.outcome import Floats, Outcome, Ranked, Situation
from engine.rules.plan import Plan
from engine.rules.scope import Who
from engine.rules.stage import decided

# Fewer options than these are no choice.
FEW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One learner as the engine sees them without any rule: `rows` of the catalogue, ascending, with what was found.

    `rows` `(n,)` int32 hold all candidates and all that any of the rules put in (`rows_to_score`); `scores`, `p`,
    `minutes` and `unready` go with them. `candidates` and `offered` `(n_resources,)` as in `admitted`; `tie_break`
    `(n_resources,)` orders what scores the same.
    """

    who: Who
    rows: Rows
    scores: Floats
    p: Floats
    minutes: Floats
    candidates: Mask
    offered: Mask
    tie_break: NDArray[np.int64]
    history: History
    situation: Situation
    scale: float = 1.0
    unready: Mask | None = None
    k: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a draft changes for one learner, by resource id; `moves` are (id, rank before, rank after), from 1.

    `few` says that fewer than three options would be left, `message` why nothing or only some of it would be shown.
    """

    learner_id: str
    leaves: tuple[str, ...]
    enters: tuple[str, ...]
    moves: tuple[tuple[str, int, int], ...]
    n_before: int
    n_after: int
    conflict: tuple[str, ...] = ()
    message: str | None = None

    @property
    def few(self) -> bool:
        """Whether too few options are left to choose."""
        return self.n_after < FEW

    @property
    def is_any(self) -> bool:
        """Whether anything changes at all."""
        return bool(self.leaves or self.enters or self.moves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slate:
    """The ids of a slate in order, with what a stage had to say of it."""

    resource_ids: tuple[str, ...]
    conflict: tuple[str, ...] = ()
    message: str | None = None


def changed(learner_id: str, before: Slate, after: Slate) -> Change:
    """What one slate has and the other has not, and what stands at another rank."""
    ranks = {x: rank for rank, x in enumerate(before.resource_ids, 1)}
    new = {x: rank for rank, x in enumerate(after.resource_ids, 1)}
    return Change(
        learner_id=learner_id,
        leaves=tuple(x for x in before.resource_ids if x not in new),
        enters=tuple(x for x in after.resource_ids if x not in ranks),
        moves=tuple((x, ranks[x], rank) for x, rank in new.items() if x in ranks and ranks[x] != rank),
        n_before=len(ranks),
        n_after=len(new),
        conflict=after.conflict,
        message=after.message,
    )


def previewed(
    learners: Iterable[Scored], before: Callable[[Scored], Slate], after: Callable[[Scored], Slate]
) -> tuple[Change, ...]:
    """What changes between two ways to decide, for each learner in the order given."""
    return tuple(changed(one.who.learner_id, before(one), after(one)) for one in learners)


def under(book: RuleBook, now_us: int) -> Callable[[Scored], Slate]:
    """The way to decide under these rules at this moment."""

    def decide(one: Scored) -> Slate:
        ids = book.contents.resource_map.ids
        outcome, rows = _outcome(one, book.plan(one.who, now_us))
        shown = tuple(ids[rows[p.position]] for p in outcome.slate)
        return Slate(resource_ids=shown, conflict=outcome.conflict, message=outcome.message)

    return decide


def rows_to_score(candidates: Mask, offered: Mask, plans: Sequence[Plan]) -> Rows:
    """The rows that must be scored so that each of these plans can decide: `(n,)` int32, ascending."""
    wanted = candidates.copy()
    for plan in plans:
        for demand in plan.demands:
            if demand.row >= 0 and offered[demand.row]:
                wanted[demand.row] = True
    return np.flatnonzero(wanted).astype(np.int32)


def _outcome(one: Scored, plan: Plan) -> tuple[Outcome, Rows]:
    admission = admitted(plan, one.candidates, offered=one.offered, history=one.history)
    rows = admission.rows
    place = np.searchsorted(one.rows, rows)
    added = added_by_rules(admission, one.scale)
    order = np.lexsort((one.tie_break[rows], -(one.scores[place] + added)))
    ranked = Ranked(
        order=order[admission.own[order]],
        p=one.p[place],
        minutes=one.minutes[place],
        added=added,
        scale=one.scale,
        unready=None if one.unready is None else one.unready[place],
    )
    return decided(admission, ranked, one.situation, k=one.k), rows
