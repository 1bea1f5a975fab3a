"""The recipe: candidates → relevance → a closer look at the best → learning → selection → reasons.

It is written for many learners at once; one learner is a class of one.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from engine.asked import Ask, Asked, asked_of
from engine.assembly import Recommender, recommender_of
from engine.domain.decision import Decision, Request, Said
from engine.domain.query import Query
from engine.emptiness import GOAL_RULED_OUT, MASTERED_CODE, RULED_OUT_CODE, Gained, why_no_aim, why_no_gain, why_nothing
from engine.last_stage import LastStage, Rules, under_rules
from engine.learner.mastery import ResourceOutlook
from engine.learner.preferences import Preferences
from engine.learner.state import LearnerState
from engine.learner.voices import Spoken
from engine.options import Ranked, Ruled, Settled, flags_of, options_of
from engine.outlooks import outlooks_of
from engine.ranking.relevance import FirstStage
from engine.rules.preview import Slate as Foreseen

__all__ = [
    "TOGETHER",
    "Ask",
    "Asked",
    "Recommender",
    "asked_of",
    "decided",
    "foreseen",
    "recommend",
    "recommend_each",
    "recommender_of",
]
# So many are answered in one pass: of each, some numbers for every resource are held at once.
TOGETHER = 16
# A look ahead is no decision: nothing is said of its moment.
_NO_MATTER = datetime(1970, 1, 1, tzinfo=UTC)


def recommend(  # noqa: PLR0913 - who asks for what, and all that is known of them
    request: Request,
    query: Query,
    recommender: Recommender,
    *,
    decision_id: str,
    now: datetime,
    state: LearnerState | None = None,
    spoken: Sequence[Spoken] | None = None,
    preferences: Preferences | None = None,
    rules: Rules | None = None,
) -> Decision:
    """The decision for one request, always: an unknown learner or an empty catalogue get a labelled answer.

    The rest is as in `Ask`.
    """
    ask = Ask(
        request=request, query=query, decision_id=decision_id, now=now, state=state, spoken=spoken,
        preferences=preferences, rules=rules,
    )  # fmt: skip
    return recommend_each([ask], recommender)[0]


def recommend_each(asks: Sequence[Ask], recommender: Recommender) -> list[Decision]:
    """The decision for each of these, as if each had been asked for alone, for less work."""
    return [
        decision
        for first in range(0, len(asks), TOGETHER)
        for decision in decided([asked_of(ask, recommender) for ask in asks[first : first + TOGETHER]], recommender)
    ]


def decided(asked: Sequence[Asked], recommender: Recommender) -> list[Decision]:
    """The decision for each of these, at best not more than `TOGETHER`; of one that `is_kept` little is to be done."""
    firsts = _firsts(asked, recommender)
    settled = [one.settled(first) for one, first in zip(asked, firsts, strict=True)]
    outlooks = outlooks_of([(one.answered, found) for one, found in zip(asked, settled, strict=True)])
    made = [_decision(*of) for of in zip(asked, settled, outlooks, strict=True)]
    for one, found in zip(asked, settled, strict=True):
        one.keep(found)
    return made


def _firsts(asked: Sequence[Asked], recommender: Recommender) -> list[FirstStage | None]:
    """What the cheap scorers say to each, asked for all at once whose pool is not kept."""
    firsts: list[FirstStage | None] = [None] * len(asked)
    new = [nth for nth, one in enumerate(asked) if not one.is_kept]
    if recommender.model is not None and new:
        made = recommender.model.firsts([asked[nth].asking.query for nth in new], len(recommender.catalogue))
        for nth, first in zip(new, made, strict=True):
            firsts[nth] = first
    return firsts


def _decision(asked: Asked, settled: Settled, outlooks: Sequence[ResourceOutlook]) -> Decision:
    request, query, recommender, ruled = asked.ask.request, asked.ask.query, asked.asking.recommender, settled.ruled
    said = (_of_rules(ruled) if ruled is not None else None) or _message(asked, settled)
    return Decision(
        decision_id=asked.ask.decision_id,
        learner_id=request.learner_id,
        at=asked.ask.now,
        mode=mode_of(request, query, recommender),
        bundle=recommender.version,
        catalogue_hash=recommender.catalogue.hash,
        class_id=query.class_id,
        slate=options_of(settled, asked.answered, outlooks),
        flags=flags_of(settled, asked.answered),
        rules=ruled.held if ruled is not None else (),
        conflict=ruled.conflict if ruled is not None else (),
        message=None if said is None else said.text,
        told=said,
        beside=settled.beside,
    )


def foreseen(
    request: Request,
    query: Query,
    recommender: Recommender,
    *,
    sides: Sequence[Rules | None],
    state: LearnerState | None = None,
    spoken: Sequence[Spoken] | None = None,
    preferences: Preferences | None = None,
) -> list[Foreseen]:
    """What would be shown under each of several sets of rules, without chance, exactly as it would be answered.

    Candidates are looked at once for all sets that let in the same ones.
    """
    ask = Ask(
        request=request,
        query=query,
        decision_id="",
        now=_NO_MATTER,
        state=state,
        spoken=spoken,
        preferences=preferences,
    )
    asked = asked_of(ask, recommender)
    seen: dict[tuple[object, ...], Ranked] = {}
    return [_foreseen(asked, asked.under(rules), seen) for rules in sides]


def _foreseen(asked: Asked, stage: LastStage | None, seen: dict[tuple[object, ...], Ranked]) -> Foreseen:
    shown = asked.allowed if stage is None else stage.looked_at
    like = (shown.tobytes(), (), (), ()) if stage is None else stage.looks_like

    def look(times: int) -> Ranked:
        if (times, like) not in seen:
            seen[times, like] = asked.look(shown, stage, times)
        return seen[times, like]

    conflict: tuple[str, ...] = ()
    message = None
    if stage is None:
        ranked = look(1)
        slate = asked.choose(ranked, None)
    else:
        k = asked.ask.request.k
        ranked, slate, ruled = under_rules(stage, look, lambda found, _: asked.choose(found, None), asked.answered, k=k)
        conflict, message = ruled.conflict, ruled.message
    ids = asked.asking.recommender.catalogue.resource_map.ids
    chosen = tuple(ids[row] for row in ranked.rows[list(slate.chosen)].tolist())
    return Foreseen(resource_ids=chosen, conflict=conflict, message=message)


def mode_of(request: Request, query: Query, recommender: Recommender) -> str:
    """The label of the answer: how much of the learner stands behind it."""
    if recommender.model is None:
        return "fallback"
    if request.non_personalised:
        return "non_personalised"
    return "personalised" if len(query.history.resource_index) else "cold"


def _of_rules(ruled: Ruled) -> Said | None:
    """What rules have to say of the slate as a whole; which they are stands in `rules` and `conflict`."""
    if ruled.message is None:
        return None
    return Said(code="rules_conflict" if ruled.conflict else "rules_leave_nothing", text=ruled.message)


def _message(asked: Asked, settled: Settled) -> Said | None:
    """What the learner should know of beside this slate; said once where it is kept."""
    if not settled.messages:
        settled.messages[:] = [_said(asked, settled, asked.stage)]
    if settled.messages[0] is None and asked.asking.recommender.model is not None:
        return why_no_aim(asked.asking.request)
    return settled.messages[0]


def _said(asked: Asked, settled: Settled, stage: LastStage | None) -> Said | None:
    """Why there is nothing in this slate, or nothing for the goal; None where all is as hoped."""
    ranked, who, query = settled.ranked, asked.asking, asked.ask.query
    request, learner, recommender, for_goal = who.request, who.learner, who.recommender, None
    if ranked.learning is not None and learner is not None and recommender.teaching is not None:
        menu, shown = recommender.teaching.menu, ranked.rows[list(settled.slate.chosen)]
        again = shown[np.isin(shown, who.again.rows)] if who.again.spent else shown[:0]
        gained = Gained(learner.goal, who.again.spent, again, ranked.learning, menu, recommender.titles)
        for_goal = why_no_gain(request, query, gained, recommender.catalogue, limit=who.limit)
        if stage is not None and for_goal is not None and for_goal.code != MASTERED_CODE:
            rows = menu.teaching.gathered(ranked.learning.aims)[1]
            may = asked.allowed if who.limit is None else who.limit.without(asked.allowed, rows)
            ruled_out = (may[rows] & ~stage.looked_at[rows]).any() and not np.isin(rows, shown).any()
            for_goal = Said(code=RULED_OUT_CODE, text=GOAL_RULED_OUT) if ruled_out else for_goal
    if len(ranked.rows) or (for_goal is not None and for_goal.code == MASTERED_CODE):
        return for_goal
    return why_nothing(request, query, recommender.catalogue, limit=who.limit)
