"""One request with all that is known of whom it is for, and how it comes to a slate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.assembly import Recommender
from engine.closer_look import (
    Asking,
    Look,
    accepted_rows,
    conditions_of,
    forget_pool,
    is_kept,
    learner_led,
    looked_at,
)
from engine.domain.decision import Request
from engine.domain.history import History
from engine.domain.query import Query
from engine.last_stage import LastStage, Rules, last_stage, under_rules
from engine.learner.fold import fresh
from engine.learner.menu import minutes_expected
from engine.learner.preferences import Preferences
from engine.learner.state import LearnerState
from engine.learner.voices import Spoken, standing
from engine.options import Answered, Ranked, Settled
from engine.ranking.again import NOTHING, Again, again_of
from engine.ranking.candidates import candidates_of
from engine.ranking.exploration import NEAR
from engine.ranking.in_time import InTime, in_time
from engine.ranking.learning import Learner, aims_of
from engine.ranking.objective import band_of
from engine.ranking.relevance import FirstStage
from engine.ranking.said import OF_DIFFICULTY
from engine.ranking.selection import Exploring, Slate, Variety, slate_of

_NO_SEED = 0x7472_6169_6C
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is asked for somebody, and when.

    `spoken` and `preferences` are what they said, where no `state` says it. `rules` have the last word, whatever made
    the order.
    """

    request: Request
    query: Query
    decision_id: str
    now: datetime
    state: LearnerState | None = None
    spoken: Sequence[Spoken] | None = None
    preferences: Preferences | None = None
    rules: Rules | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An ask beside the recommender that answers it."""

    ask: Ask
    asking: Asking
    answered: Answered

    @cached_property
    def allowed(self) -> Mask:
        """What may be shown, `(n_resources,)`: what is new, what was accepted, and what comes back.

        Of it that alone may be shown which fits into the minutes of the request, by `asking.limit`.
        """
        asking = self.asking
        welcome = np.concatenate([accepted_rows(asking.voices, asking.recommender), asking.again.rows])
        return candidates_of(asking.request, self.ask.query, asking.recommender.catalogue, welcome=welcome)

    @cached_property
    def stage(self) -> LastStage | None:
        """The rules they are under; None where there is none."""
        return self.under(self.ask.rules)

    def under(self, rules: Rules | None) -> LastStage | None:
        """The last stage under these rules."""
        asking = self.asking
        return last_stage(rules, lambda: self.allowed, self.ask.query, asking.recommender.catalogue, limit=asking.limit)

    def look(self, shown: Mask, stage: LastStage | None, times: int) -> Ranked:
        """A closer look at the best of what is `shown` to it, so many times as many as usual."""
        return looked_at(self.asking, Look(shown=lambda: shown, stage=stage, times=times))

    @property
    def is_kept(self) -> bool:
        """Whether nothing has to be asked of the cheap scorers any more."""
        if self.asking.recommender.model is None or self._recalled is not None:
            return True
        return is_kept(self.asking, self.stage)

    def settled(self, first: FirstStage | None) -> Settled:
        """The slate and what it was chosen from; what was kept of it while nothing that enters it is another.

        `first` is what the cheap scorers say, where that is known already.
        """
        return self._settled(first) if self._recalled is None else self._recalled

    def keep(self, settled: Settled) -> None:
        """Keep with the history what was said of this slate, after everything was."""
        if self._recalled is None and self._kept_by is not None:
            self.asking.query.history.keep(*self._kept_by, settled.once_said())
            if self.asking.learner is None:
                # It follows from the very same things: whoever asks for it is answered by the slate.
                forget_pool(self.asking)

    @cached_property
    def _kept_by(self) -> tuple[str, tuple[object, ...]] | None:
        """The name that a slate is kept under, and all that it is made of; None where it is of the moment."""
        asking, stage = self.asking, self.stage
        of_the_moment = stage is not None and stage.plan.of_the_moment
        if asking.recommender.model is None or asking.request.explore or of_the_moment:
            return None
        made_of = (*asking.conditions, *self._of_the_learner, None if stage is None else stage.plan)
        return f"slate for {asking.request.objective}", made_of

    @cached_property
    def _recalled(self) -> Settled | None:
        """What was settled before, of the same things."""
        found = None if self._kept_by is None else self.asking.query.history.recalled(*self._kept_by)
        return found if isinstance(found, Settled) else None

    @property
    def _of_the_learner(self) -> tuple[object, ...]:
        """What leading a learner on follows from beside the conditions: their state, as it is at this minute.

        A word on difficulty moves what is alike by the chances that the state says.
        """
        learner = self.asking.learner
        if learner is None:
            difficult = any(word.kind in OF_DIFFICULTY for word in self.asking.voices)
            return (self.asking.state, self.asking.query.minute_us) if difficult else ()
        return self.ask.state, self.asking.query.minute_us, learner.minutes_left, learner.minutes_ahead

    def _settled(self, first: FirstStage | None) -> Settled:
        stage, decision_id = self.stage, self.ask.decision_id

        def look(times: int) -> Ranked:
            return looked_at(self.asking, Look(shown=shown, stage=stage, times=times, first=first))

        def shown() -> Mask:
            return self.allowed if stage is None else stage.looked_at

        if stage is None:
            ranked = look(1)
            return Settled(ranked, self.choose(ranked, decision_id), None)
        return Settled(
            *under_rules(
                stage,
                look,
                lambda found, in_turn: self.choose(found, decision_id if in_turn else None),
                self.answered,
                k=self.asking.request.k,
            )
        )

    def choose(self, ranked: Ranked, decision_id: str | None) -> Slate:
        """The slate out of these; near-ties take turns for a decision, where that is asked for."""
        request, offered, rows = self.asking.request, self.asking.recommender.offered, ranked.rows
        # What the learner said yes to does not have to wait until something else comes back no more.
        again = ranked.again.difference(row for row, kind in self.answered.words.items() if kind == "accepted")
        return slate_of(
            ranked.scores,
            offered.formats[rows],
            offered.tie_break[rows],
            k=request.k,
            variety=_variety(request, ranked, self.asking.recommender),
            again=_among(rows, again, len(offered.formats)) if again else None,
            exploring=_exploring(request, decision_id, ranked, self.ask.state) if decision_id is not None else None,
        )


def asked_of(ask: Ask, recommender: Recommender) -> Asked:
    """The ask with all that is known of whom it is for."""
    request, query, state = ask.request, ask.query, ask.state
    anybody = request.non_personalised
    asked = replace(query, history=History.empty(), features=()) if anybody else query
    voices = () if anybody else standing(state.spoken if state is not None else ask.spoken or (), query.now_us)
    learner = None if anybody else learner_led(request, asked, state, voices, recommender)
    conditions = conditions_of(request, asked, learner, voices, recommender)
    limit = _limit(request, asked, None if anybody else state, recommender)
    if limit is not None:
        # How long anything takes is of the minute, and of what is known of the learner.
        conditions = (*conditions, state, query.minute_us)
    again = _again(request, query, learner, recommender, (limit, conditions))
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
    asking = Asking(
        request=request,
        query=asked,
        recommender=recommender,
        learner=learner,
        voices=voices,
        wished=None if anybody or request.objective != "learning" else ask.preferences,
        again=again,
        limit=limit,
        state=None if anybody else state,
        conditions=(*conditions, again.key),
    )
    return Asked(ask=ask, asking=asking, answered=answered)


def _limit(request: Request, query: Query, state: LearnerState | None, recommender: Recommender) -> InTime | None:
    """What fits into the minutes of the request, by the learner model, else by the catalogue; None without any."""
    if request.minutes is None:
        return None
    teaching, declared = recommender.teaching, recommender.catalogue.minutes
    if teaching is None:
        return in_time(request.minutes, lambda rows: declared[rows], len(declared))
    menu, model, known = teaching.menu, teaching.model, state or fresh(teaching.model, recommender.offer)

    def takes(rows: Ints) -> Floats:
        return minutes_expected(menu, rows, state=known, model=model, now_us=query.minute_us)

    return in_time(request.minutes, takes, len(declared))


def _again(
    request: Request,
    query: Query,
    learner: Learner | None,
    recommender: Recommender,
    under: tuple[InTime | None, tuple[object, ...]],
) -> Again:
    """What comes back for a need or a goal, beside what is new and what was accepted; kept while it lasts."""
    teaching, (limit, conditions) = recommender.teaching, under
    if learner is None or teaching is None or request.candidates is not None or not request.again:
        return NOTHING

    def found() -> Again:
        welcome = accepted_rows(learner.spoken, recommender)
        allowed = candidates_of(request, query, recommender.catalogue, welcome=welcome)
        if limit is not None:
            # Nothing new is left where nothing new fits.
            way = teaching.menu.closure(aims_of(learner.goal, teaching.menu).tolist())
            rows = teaching.menu.teaching.gathered(np.array(way, np.int64))[1]
            allowed = limit.without(allowed, rows[allowed[rows]])
        return again_of(allowed, learner, teaching)

    return query.history.kept("again", conditions, found, lambda again: again.lasting)


def _among(rows: NDArray[np.int64], some: Iterable[int], n: int) -> NDArray[np.bool_]:
    """Which of these rows are among some, of `n` that there are."""
    marked = np.zeros(n, bool)
    marked[list(some)] = True
    return marked[rows]


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


def _words(voices: tuple[Spoken, ...], recommender: Recommender) -> dict[int, str]:
    """The kind of word that stands of a resource, by its row."""
    said = {v.key: v.kind for v in voices}
    if not said:
        return {}
    rows = np.flatnonzero(np.isin(recommender.keys, np.array(list(said), np.uint64))).tolist()
    return {row: said[int(recommender.keys[row])] for row in rows}
