"""Teachers' rules around one decision: what they let in before anything is scored, and the last word on the slate."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.query import Query
from engine.domain.rule import Rule
from engine.learner.fold import fresh
from engine.learner.menu import known_of
from engine.options import Answered, Ranked, Ruled
from engine.ranking.best import best_rows
from engine.ranking.in_time import InTime
from engine.ranking.pool import Offered
from engine.ranking.selection import Slate
from engine.rules.admission import Admission, LetIn, added_by_rules, let_in, lifts_of
from engine.rules.bars import bars_of
from engine.rules.compiled import RuleBook
from engine.rules.outcome import Outcome, Situation
from engine.rules.outcome import Ranked as RankedForRules
from engine.rules.plan import Plan
from engine.rules.scope import Who
from engine.rules.stage import decided

# Where a slate falls short under rules, so many times as many are looked at closely, and at last everything.
_WIDER = 8
# Of what must come first, and of each format that is asked for, so many are looked at in any case.
_FOR_EACH = 16

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_NOBODY = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules one learner is under, and what they must know of the day: minutes spent, in the school's time zone.

    `frozen`: resource ids of the path that a freeze without names keeps to, None where none was kept. `plan` is what
    they come to at the moment of the decision, where that was looked up already.
    """

    book: RuleBook
    who: Who
    plan: Plan | None = None
    spent_today: float = 0.0
    spent_this_week: float = 0.0
    frozen: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True)
class LastStage:
    """The rules of one decision; what they let in is found out once somebody asks, by `_let_in`.

    `limit` is what fits into the minutes of the request, None where it names none.
    """

    rules: Rules
    plan: Plan
    limit: InTime | None
    _let_in: Callable[[], LetIn]

    @cached_property
    def admission(self) -> LetIn:
        """What the rules let in."""
        return self._let_in()

    @property
    def looked_at(self) -> Mask:
        """What may be scored: `(n_resources,)`."""
        return self.admission.looked_at

    @property
    def looks_like(self) -> tuple[object, ...]:
        """What a closer look depends on: two stages alike in this are looked at once."""
        plan = self.plan
        rows = tuple(demand.row for demand in self.admission.wanted)
        return self.looked_at.tobytes(), rows, tuple(r.what.skills for r in plan.firsts), tuple(plan.quotas)

    @property
    def put_in(self) -> Ints:
        """Rows that are there because rules call for them, whatever was asked for: `(n,)`."""
        own = self.admission.own
        return np.array([demand.row for demand in self.admission.wanted if not own[demand.row]], np.int64)

    @property
    def n_left(self) -> int:
        """How many of what may be scored could be shown, as far as is known."""
        if self.limit is None:
            return int(np.count_nonzero(self.looked_at))
        left = self.looked_at & ~self.limit.is_over
        left[self.put_in] = True
        return int(np.count_nonzero(left))

    def wanted(self, scores: Floats, shown: Mask, offered: Offered) -> list[int]:
        """Rows that need a close look, however good they are: what is put in, comes first, or fills a quota.

        `shown` `(n_resources,)` is what may be looked at of what the rules let in.
        """
        contents = self.plan.contents
        rows = [demand.row for demand in self.admission.wanted]
        for skills in (rule.what.skills for rule in self.plan.firsts):
            mine = np.zeros(len(contents), bool)
            mine[contents.rows("skills", skills)] = True
            rows += best_rows(scores, shown & mine, offered.tie_break, _FOR_EACH).tolist()
        for side, name in self.plan.quotas:
            if side == "min" and name in contents.formats:
                mine = contents.format_index == contents.formats.index(name)
                rows += best_rows(scores, shown & mine, offered.tie_break, _FOR_EACH).tolist()
        return rows


def last_stage(
    rules: Rules | None,
    allowed: Callable[[], Mask],
    query: Query,
    catalogue: Catalogue,
    *,
    limit: InTime | None = None,
) -> LastStage | None:
    """The last stage of a decision over what is `allowed` `(n_resources,)`; None where the learner is under no rule.

    What rules call for and does not fit into the `limit` is there because of them alone.
    """
    if rules is None:
        return None
    plan = rules.plan or rules.book.plan(rules.who, query.now_us)
    if not plan.rules:
        return None

    def admission() -> LetIn:
        own = offered = allowed()
        if plan.demands:
            offered = on_offer(query, catalogue)
            if limit is not None:
                own = limit.without(own, np.array([d.row for d in plan.demands if d.row >= 0], np.int64))
        return let_in(plan, own, offered=offered, history=query.history)

    return LastStage(rules=rules, plan=plan, limit=limit, _let_in=admission)


def on_offer(query: Query, catalogue: Catalogue) -> Mask:
    """What may be shown to this learner at all, seen or not: available, meeting their needs, in their languages."""
    offered = catalogue.available(query.now_us).copy()
    for need in query.access_needs:
        offered &= catalogue.with_access(need)
    if query.languages:
        offered &= np.logical_or.reduce([catalogue.in_language(x) for x in query.languages])
    return offered


def under_rules(
    stage: LastStage,
    look: Callable[[int], Ranked],
    choose: Callable[[Ranked, bool], Slate],
    answered: Answered,
    *,
    k: int,
) -> tuple[Ranked, Slate, Ruled]:
    """What is looked at, the slate, and the word of the rules on it.

    `look` takes a closer look at so many times as many candidates as usual, `choose` picks a slate out of what it is
    given, with near-ties taking turns or not. Where rules leave too little of what was looked at, more is, and at last
    everything: what is said to be left out was looked at.
    """
    for times in (1, _WIDER, int(np.count_nonzero(stage.looked_at))):
        ranked, slate, ruled = _decided(stage, look(times), choose, answered, k)
        if len(ranked.rows) >= stage.n_left or (len(slate.chosen) >= k and not ruled.conflict and ruled.all_held):
            break
    return ranked, slate, ruled


def _decided(
    stage: LastStage, ranked: Ranked, choose: Callable[[Ranked, bool], Slate], answered: Answered, k: int
) -> tuple[Ranked, Slate, Ruled]:
    admission = stage.admission.at(ranked.rows)
    added = added_by_rules(admission, ranked.span)
    ranked = ranked.under(added)
    p, minutes = _outlooks(stage.plan, ranked, answered)
    situation = _situation(stage, answered)
    told = partial(RankedForRules, p=p, minutes=minutes, added=added, scale=ranked.span)
    bars = bars_of(admission, told(order=_NOBODY), situation)
    if stage.limit is not None and bars.for_chosen.all():
        # Rules are to blame for nothing being left only where they take out what would have fitted.
        admission = replace(admission, candidates=stage.limit.within(admission.candidates))
    in_turn = not stage.plan.reorders
    if bars.for_chosen.any():
        free = np.flatnonzero(~bars.for_chosen)
        picked = _at(choose(_some(ranked, free), in_turn), free)
    else:
        free, picked = np.arange(len(ranked.rows)), choose(ranked, in_turn)
    # Where the slate is full and no rule asks for another, nobody stands in line behind it.
    is_full = in_turn and len(picked.chosen) >= k
    order = np.array(picked.chosen, np.int64) if is_full else _order(picked, ranked, free, admission)
    outcome = decided(admission, told(order=order), situation, k=k, bars=bars)
    slate = _slate(picked, [p.position for p in outcome.slate])
    return ranked, slate, _ruled(outcome, admission, slate, ranked.span)


def _some(ranked: Ranked, positions: Ints) -> Ranked:
    """What a slate is chosen by, of some positions."""
    known = ranked.learning
    if known is not None:
        known = replace(known, known=replace(known.known, rows=known.known.rows[positions], p=known.known.p[positions]))
    return replace(
        ranked,
        rows=ranked.rows[positions],
        scores=ranked.scores[positions],
        voice=ranked.voice[positions],
        learning=known,
    )


def _at(slate: Slate, positions: Ints) -> Slate:
    """A slate over some positions as one over all."""
    at = positions.tolist()
    return Slate(
        tuple(at[p] for p in slate.chosen),
        frozenset(at[p] for p in slate.varied),
        tuple(at[p] for p in slate.ranked),
        tuple({at[p]: chance for p, chance in chances.items()} for chances in slate.chances),
    )


def _order(picked: Slate, ranked: Ranked, free: Ints, admission: Admission) -> Ints:
    """All positions of candidates: those picked, then the rest that is free, then what is barred, best first."""
    rest = np.ones(len(ranked.rows), bool)
    rest[list(picked.chosen)] = False
    is_free = np.zeros(len(ranked.rows), bool)
    is_free[free] = True
    others = np.flatnonzero(rest & admission.own)
    others = others[np.lexsort((others, -ranked.scores[others], ~is_free[others]))]
    return np.concatenate([np.array(picked.chosen, np.int64), others])


def _slate(picked: Slate, chosen: list[int]) -> Slate:
    """What is shown in the end: as it was picked, or with certainty where a rule had its say."""
    if tuple(chosen) == picked.chosen:
        return picked
    return Slate(
        tuple(chosen),
        picked.varied & frozenset(chosen),
        tuple(dict.fromkeys((*picked.ranked, *chosen))),
        tuple({p: 1.0} for p in chosen),
    )


def _outlooks(plan: Plan, ranked: Ranked, answered: Answered) -> tuple[Floats, Floats]:
    """Chances of success and expected minutes, `(n,)`; NaN where nobody can say or no rule asks."""
    if ranked.learning is not None:
        known = ranked.learning.known
        return known.p, known.minutes if plan.limits else np.full(len(ranked.rows), np.nan)
    if answered.teaching is None or answered.learner is None:
        return np.full(len(ranked.rows), np.nan), answered.catalogue.minutes[ranked.rows]
    if not plan.bands and not plan.limits:
        return np.full(len(ranked.rows), np.nan), answered.catalogue.minutes[ranked.rows]
    menu, model = answered.teaching.menu, answered.learner
    state = answered.state or fresh(model, answered.offer)
    known = known_of(
        menu, ranked.rows, np.empty(0, np.int64), state=state, model=model, now_us=answered.query.minute_us
    )
    return known.p, known.minutes


def _situation(stage: LastStage, answered: Answered) -> Situation:
    rules, resource_map = stage.rules, answered.catalogue.resource_map
    frozen = None
    if rules.frozen is not None:
        frozen = frozenset(row for x in rules.frozen if (row := resource_map.row(x)) >= 0)
    return Situation(
        spent_today=rules.spent_today,
        spent_this_week=rules.spent_this_week,
        mastery=_mastery((s for rule in stage.plan.firsts for s in rule.what.skills), answered),
        frozen=frozen,
    )


def _mastery(skills: Iterable[str], answered: Answered) -> dict[str, float]:
    """How surely these skills are known; nothing of a learner nobody knows."""
    if answered.teaching is None or answered.learner is None or answered.state is None:
        return {}
    menu = answered.teaching.menu
    asked = np.array(sorted({menu.number[s] for s in skills if s in menu.number}), np.int64)
    if not len(asked):
        return {}
    known = known_of(
        menu, np.empty(0, np.int64), asked,
        state=answered.state, model=answered.learner, now_us=answered.query.minute_us,
    )  # fmt: skip
    return {menu.skills[k]: float(known.known[k]) for k in asked.tolist()}


def _ruled(outcome: Outcome, admission: Admission, slate: Slate, scale: float) -> Ruled:
    by_id: dict[str, Rule] = {rule.rule_id: rule for rule in admission.plan.rules}
    return Ruled(
        placed=outcome.slate,
        lifts=tuple(tuple(lifts_of(admission, p, scale)) for p in slate.chosen),
        by_id=by_id,
        held=outcome.verdicts,
        conflict=outcome.conflict,
        message=outcome.message,
    )
