"""The recipe: candidates → relevance → a closer look at the best → learning → selection → reasons."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, repeat

import numpy as np
from numpy.typing import NDArray

from engine.assembly import Recommender, recommender_of
from engine.closer_look import accepted_rows, learner_led, relevant_to, worthwhile_for
from engine.domain.decision import Decision, Request
from engine.domain.history import History
from engine.domain.query import Query
from engine.emptiness import GOAL_MASTERED, GOAL_RULED_OUT, Gained, why_no_gain, why_nothing
from engine.last_stage import LastStage, Rules, last_stage, under_rules
from engine.learner.preferences import Preferences
from engine.learner.state import LearnerState
from engine.learner.voices import Spoken, standing
from engine.options import Answered, Ranked, flags_of, options_of
from engine.ranking.again import NOTHING, Again, again_of
from engine.ranking.candidates import candidates_of
from engine.ranking.exploration import NEAR
from engine.ranking.learning import Learner
from engine.ranking.objective import band_of
from engine.ranking.relevance import FirstStage
from engine.ranking.selection import Exploring, Slate, Variety, slate_of
from engine.rules.preview import Slate as Foreseen

__all__ = ["Prepared", "Recommender", "foreseen", "prepared", "recommend", "recommender_of"]
_NO_SEED = 0x7472_6169_6C
# So many learners of a class are scored at once: more would be kept in memory before they are answered.
_TOGETHER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """One request with all that is known of whom it is for; `allowed` `(n_resources,)` is what may be shown."""

    request: Request
    recommender: Recommender
    learner: Learner | None
    voices: tuple[Spoken, ...]
    wished: Preferences | None
    allowed: NDArray[np.bool_]
    again: Again
    answered: Answered
    state: LearnerState | None
    first: FirstStage | None

    def look(self, shown: NDArray[np.bool_], stages: Sequence[LastStage], times: int) -> Ranked:
        """A closer look at the best of what is `shown` to it, so many times as many as usual."""
        query, learner = self.answered.query, self.learner
        if learner is None:
            return relevant_to(
                self.request, query, shown, self.voices, self.wished, self.recommender,
                first=self.first, stages=stages, times=times,
            )  # fmt: skip
        assert self.first is not None, "a model is served to who is led on"
        return worthwhile_for(
            self.request, query, shown, self.again, learner, self.recommender,
            first=self.first, stages=stages, times=times,
        )  # fmt: skip

    def choose(self, ranked: Ranked, decision_id: str | None) -> Slate:
        """The slate out of these; near-ties take turns for a decision, where that is asked for."""
        offered, rows = self.recommender.offered, ranked.rows
        return slate_of(
            ranked.scores,
            offered.formats[rows],
            offered.tie_break[rows],
            k=self.request.k,
            variety=_variety(self.request, ranked, self.recommender),
            again=_among(rows, ranked.again, len(offered.formats)) if ranked.again else None,
            exploring=_exploring(self.request, decision_id, ranked, self.state) if decision_id is not None else None,
        )


def _among(rows: NDArray[np.int64], some: Iterable[int], n: int) -> NDArray[np.bool_]:
    """Which of these rows are among some, of `n` that there are."""
    marked = np.zeros(n, bool)
    marked[list(some)] = True
    return marked[rows]


@dataclass(frozen=True, slots=True)
class Prepared:
    """One request with its query, as it was asked and as it is answered, and the first stage of the latter.

    `first` is None where no model is served.
    """

    request: Request
    query: Query
    answered: Query
    first: FirstStage | None


def prepared(asked: Iterable[tuple[Request, Query]], recommender: Recommender) -> Iterator[Prepared]:
    """Several requests made ready, each as if on its own; what is known of resources is read once for some of them."""
    everyone = iter(asked)
    while some := list(islice(everyone, _TOGETHER)):
        answered = [_as_answered(request, query) for request, query in some]
        model = recommender.model
        firsts = model.firsts(answered, len(recommender.catalogue)) if model is not None else repeat(None, len(some))
        newcomers = recommender.newcomers
        for (request, query), own, first in zip(some, answered, firsts, strict=True):
            yield Prepared(
                request,
                query,
                own,
                newcomers.stood_for(first) if newcomers is not None and first is not None else first,
            )


def _as_answered(request: Request, query: Query) -> Query:
    """Who asks as nobody in particular did nothing and has no features."""
    return replace(query, history=History.empty(), features=()) if request.non_personalised else query


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
    ready: Prepared | None = None,
) -> Decision:
    """The decision for one request, always: an unknown learner or an empty catalogue get a labelled answer.

    `spoken` and `preferences` are what the learner said, where no state says it. `rules` have the last word, whatever
    made the order. `ready` is what was `prepared` for this request and query among others, to the same answer.
    """
    asking = _asking(request, query, recommender, state=state, spoken=spoken, preferences=preferences, ready=ready)
    stage = last_stage(rules, asking.allowed, query, recommender.catalogue)
    ruled = None
    if stage is None:
        ranked = asking.look(asking.allowed, (), 1)
        slate = asking.choose(ranked, decision_id)
    else:
        ranked, slate, ruled = under_rules(
            stage,
            lambda times: asking.look(stage.looked_at, (stage,), times),
            lambda found, in_turn: asking.choose(found, decision_id if in_turn else None),
            asking.answered,
            k=request.k,
        )
    return Decision(
        decision_id=decision_id,
        learner_id=request.learner_id,
        at=now,
        mode=mode_of(request, query, recommender),
        bundle=recommender.version,
        catalogue_hash=recommender.catalogue.hash,
        class_id=query.class_id,
        slate=options_of(slate, ranked, asking.answered, ruled),
        flags=flags_of(ranked, asking.answered),
        rules=ruled.held if ruled is not None else (),
        conflict=ruled.conflict if ruled is not None else (),
        message=(ruled.message if ruled is not None else None) or _message(asking, query, ranked, stage),
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
    asking = _asking(request, query, recommender, state=state, spoken=spoken, preferences=preferences)
    seen: dict[tuple[object, ...], Ranked] = {}
    stages = (last_stage(rules, asking.allowed, query, recommender.catalogue) for rules in sides)
    return [_foreseen(asking, stage, seen) for stage in stages]


def _foreseen(asking: _Asking, stage: LastStage | None, seen: dict[tuple[object, ...], Ranked]) -> Foreseen:
    shown = asking.allowed if stage is None else stage.looked_at
    like = (shown.tobytes(), (), (), ()) if stage is None else stage.looks_like

    def look(times: int) -> Ranked:
        if (times, like) not in seen:
            seen[times, like] = asking.look(shown, () if stage is None else (stage,), times)
        return seen[times, like]

    conflict: tuple[str, ...] = ()
    message = None
    if stage is None:
        ranked = look(1)
        slate = asking.choose(ranked, None)
    else:
        ranked, slate, ruled = under_rules(
            stage, look, lambda found, _: asking.choose(found, None), asking.answered, k=asking.request.k
        )
        conflict, message = ruled.conflict, ruled.message
    ids = asking.recommender.catalogue.resource_map.ids
    chosen = tuple(ids[row] for row in ranked.rows[list(slate.chosen)].tolist())
    return Foreseen(resource_ids=chosen, conflict=conflict, message=message)


def _asking(
    request: Request,
    query: Query,
    recommender: Recommender,
    *,
    state: LearnerState | None,
    spoken: Sequence[Spoken] | None,
    preferences: Preferences | None,
    ready: Prepared | None = None,
) -> _Asking:
    anybody = request.non_personalised
    ready = ready or next(prepared([(request, query)], recommender))
    asked = ready.answered
    voices = () if anybody else standing(state.spoken if state is not None else spoken or (), query.now_us)
    learner = None if anybody else learner_led(request, asked, state, voices, recommender)
    allowed, again = _allowed(request, query, learner, voices, recommender)
    answered = Answered(
        model=recommender.model,
        learner=recommender.learner,
        teaching=recommender.teaching,
        catalogue=recommender.catalogue,
        offer=recommender.offer,
        titles=recommender.titles,
        inquiry=recommender.offered.inquiry,
        query=asked,
        state=None if anybody else state,
        words=_words(voices, recommender),
        newcomers=recommender.newcomers,
    )
    return _Asking(
        request=request,
        recommender=recommender,
        learner=learner,
        voices=voices,
        wished=None if anybody or request.objective != "learning" else preferences,
        allowed=allowed,
        again=again,
        answered=answered,
        state=state,
        first=ready.first,
    )


def _allowed(
    request: Request, query: Query, learner: Learner | None, voices: tuple[Spoken, ...], recommender: Recommender
) -> tuple[NDArray[np.bool_], Again]:
    """What may be shown, `(n_resources,)`: what is new, what was accepted, and what comes back for a need or a goal."""
    catalogue, welcome = recommender.catalogue, accepted_rows(voices, recommender)
    allowed = candidates_of(request, query, catalogue, welcome=welcome)
    if learner is None or recommender.teaching is None or request.candidates is not None or not request.again:
        return allowed, NOTHING
    again = again_of(allowed, learner, recommender.teaching)
    if len(again.rows):
        welcome = np.concatenate([welcome, again.rows])
        allowed = candidates_of(request, query, catalogue, welcome=welcome)
    return allowed, again


def _variety(request: Request, ranked: Ranked, recommender: Recommender) -> Variety | None:
    """Learning is varied; what others take up is shown as it is."""
    if request.objective != "learning":
        return None
    return Variety(inquiry=recommender.offered.inquiry[ranked.rows], refused=ranked.voice < 0)


def _exploring(request: Request, decision_id: str, ranked: Ranked, state: LearnerState | None) -> Exploring | None:
    """Who may take turns: with a state, what is no further outside the success band than the best; the seed is given or
    the decision's own.
    """
    if not request.explore:
        return None
    outside = np.zeros(len(ranked.scores))
    if ranked.learning is not None and state is not None:
        low, high = band_of(state)
        p = ranked.learning.known.p
        outside = np.maximum(low - p, 0.0) - np.maximum(p - high, 0.0)
    seed = request.seed if request.seed is not None else int.from_bytes(decision_id.encode()[:16].ljust(1, b"0"))
    rng = np.random.default_rng([_NO_SEED, abs(seed)])
    return Exploring(outside=outside, near=NEAR * ranked.span, rng=rng)


def mode_of(request: Request, query: Query, recommender: Recommender) -> str:
    """The label of the answer: how much of the learner stands behind it."""
    if recommender.model is None:
        return "fallback"
    if request.non_personalised:
        return "non_personalised"
    return "personalised" if len(query.history.resource_index) else "cold"


def _words(voices: tuple[Spoken, ...], recommender: Recommender) -> dict[int, str]:
    """The kind of word that stands of a resource, by its row."""
    said = {v.key: v.kind for v in voices}
    if not said:
        return {}
    rows = np.flatnonzero(np.isin(recommender.keys, np.array(list(said), np.uint64))).tolist()
    return {row: said[int(recommender.keys[row])] for row in rows}


def _message(asking: _Asking, query: Query, ranked: Ranked, stage: LastStage | None) -> str | None:
    """Why there is nothing, or nothing for the goal; None where all is as hoped."""
    request, learner, recommender, for_goal = asking.request, asking.learner, asking.recommender, None
    if ranked.learning is not None and learner is not None and recommender.teaching is not None:
        menu, titles = recommender.teaching.menu, recommender.titles
        gained = Gained(learner.goal, asking.again.spent, ranked.learning, menu, titles)
        for_goal = why_no_gain(request, query, gained, recommender.catalogue)
        if stage is not None and for_goal not in (None, GOAL_MASTERED):
            rows = menu.teaching.gathered(ranked.learning.aims)[1]
            for_goal = GOAL_RULED_OUT if (asking.allowed[rows] & ~stage.looked_at[rows]).any() else for_goal
    if len(ranked.rows) or for_goal == GOAL_MASTERED:
        return for_goal
    return why_nothing(request, query, recommender.catalogue)
