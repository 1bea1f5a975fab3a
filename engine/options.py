"""The options of a slate, each with its chances, its minutes and its reasons."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from msgspec.structs import replace as replaced
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.decision import Flag, NearTie, Option, Reason, RuleHeld, Said
from engine.domain.query import Query
from engine.domain.rule import Rule
from engine.explanations import (
    Told,
    comes_first_reason,
    explored_reason,
    in_order,
    learning_reasons,
    lifted_reason,
    planned_reason,
    put_in_reason,
    reasons_of,
    usual_reason,
    variety_reason,
    voice_reasons,
    wish_reasons,
)
from engine.flags import loop_flags
from engine.learner.fold import Offer
from engine.learner.mastery import ResourceOutlook
from engine.learner.model import LearnerModel
from engine.learner.state import LearnerState
from engine.ranking.learning import Learning, Teaching
from engine.ranking.newcomers import Newcomers
from engine.ranking.relevance import RelevanceModel
from engine.ranking.selection import Slate
from engine.rules.outcome import Placed

_MODEL = Placed(position=-1)
# About what an option that is kept takes in memory, and each of its reasons, with their bytes as JSON.
_OPTION, _REASON = 700, 1_000


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates looked at closely, with what each family of relevance, each term of learning and voices add to them.

    `rows`: `(n,)` of the catalogue. `relevant`: `(n_families, n)`. `learning` is None where nothing but relevance was
    asked for. `voice` `(n,)` says what the learner's words add, `wishes` `(2, n)` what they asked for where no model is
    served, `ruled` `(n,)` what teachers' rules add. `scores` `(n,)` add up all of it, on a scale of `span`. `again` are
    rows that were done before, `told` the reasons of relevance by row, as far as they were said. `usual`
    `(n_families,)` is what `relevant` comes to on average, None where it counts from there already.
    """

    rows: NDArray[np.int64]
    relevant: NDArray[np.float64]
    learning: Learning | None
    voice: NDArray[np.float64]
    scores: NDArray[np.float64]
    span: float
    wishes: NDArray[np.float64] | None = None
    ruled: NDArray[np.float64] | None = None
    again: frozenset[int] = frozenset()
    told: dict[int, tuple[Reason, ...]] = field(default_factory=dict)
    usual: NDArray[np.float64] | None = None

    def under(self, ruled: NDArray[np.float64]) -> "Ranked":
        """The same with what teachers' rules add."""
        return Ranked(
            self.rows, self.relevant, self.learning, self.voice, self.scores + ruled, self.span, self.wishes, ruled,
            self.again, self.told, self.usual,
        )  # fmt: skip

    def only(self, places: NDArray[np.int64]) -> "Ranked":
        """Some of the rows with their scores, and nothing of what these were made from."""
        nothing = np.empty((0, len(places)))
        return Ranked(self.rows[places], nothing, None, np.zeros(len(places)), self.scores[places], self.span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Who is answered, and out of what; `state` is None for nobody in particular.

    `words`: the kind of word that stands of a resource, by its row.
    """

    model: RelevanceModel | None
    learner: LearnerModel | None
    teaching: Teaching | None
    catalogue: Catalogue
    offer: Offer
    titles: Mapping[str, str]
    inquiry: NDArray[np.bool_]
    query: Query
    state: LearnerState | None
    words: Mapping[int, str]
    newcomers: Newcomers | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """The word of teachers' rules on a slate: for each slot who put it there, and what rules add to its score.

    `held` tells of each rule that touched the decision, `conflict` the smallest set that could not all hold, `message`
    says so in words. `by_id` are the rules in force.
    """

    placed: tuple[Placed, ...]
    lifts: tuple[tuple[tuple[Rule, float], ...], ...]
    by_id: Mapping[str, Rule]
    held: tuple[RuleHeld, ...]
    conflict: tuple[str, ...]
    message: str | None

    @property
    def all_held(self) -> bool:
        """Whether nothing was missed of what rules asked for."""
        return all(rule.held for rule in self.held)

    def reasons(self, slot: int) -> list[Reason]:
        """What a teacher's word did for one slot."""
        placed = self.placed[slot]
        said = [put_in_reason(self.by_id[x], placed.due) for x in placed.rule_ids if x in self.by_id]
        if placed.origin == "rule":
            said.append(comes_first_reason())
        return [*said, *(lifted_reason(rule, added) for rule, added in self.lifts[slot])]


@dataclass(frozen=True, slots=True)
class Settled:
    """What a decision comes to: what was looked at, the slate, and the word of rules on it, None without any.

    `told` are the options as they were said first: where it is kept, only their chances and minutes are of the moment;
    `seen` says those, with the state and the minute they are of, `shown` the options with them, `flagged` the flags and
    `messages` the message beside them. `beside` is the room for what others make of them.
    """

    ranked: Ranked
    slate: Slate
    ruled: Ruled | None
    told: list[Option] = field(default_factory=list)
    seen: list[tuple[LearnerState | None, int, Sequence[ResourceOutlook]]] = field(default_factory=list)
    shown: list[tuple[Sequence[ResourceOutlook], tuple[Option, ...]]] = field(default_factory=list)
    flagged: list[tuple[Flag, ...]] = field(default_factory=list)
    messages: list[Said | None] = field(default_factory=list)
    beside: dict[str, Any] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        """About how much memory it takes once it was said, with what others make of it: that is its reasons."""
        return 2_000 + sum([_OPTION + _REASON * len(option.reasons) for option in self.told])

    def once_said(self) -> "Settled":
        """The same for who asks again, after everything was said of it: of all that was looked at, what was chosen.

        A tenth of the memory, which is held for each learner at hand.
        """
        chosen = np.array(self.slate.chosen, np.int64)
        return replace(
            self,
            ranked=self.ranked.only(chosen),
            slate=Slate(tuple(range(len(chosen))), frozenset(), (), ()),
            ruled=None if self.ruled is None else replace(self.ruled, placed=(), lifts=(), by_id={}),
        )


def options_of(settled: Settled, answered: Answered, outlooks: Sequence[ResourceOutlook]) -> tuple[Option, ...]:
    """The options in the order of the slate; `outlooks` are those of `engine.outlooks`."""
    if not settled.told:
        # In one step: a class and one of it may be answered at once.
        settled.told[:] = list(_options(settled, answered))
    for of, options in settled.shown:
        if of is outlooks:
            return options
    made = tuple(
        [
            replaced(option, p_success=outlook.p, expected_minutes=outlook.minutes)
            for option, outlook in zip(settled.told, outlooks, strict=True)
        ]
    )
    settled.shown[:] = [(outlooks, made)]
    return made


def _options(settled: Settled, answered: Answered) -> Iterator[Option]:
    """The options with all that follows from what was settled."""
    ranked, slate, ruled = settled.ranked, settled.slate, settled.ruled
    chosen = np.array(slate.chosen, dtype=np.int64)
    rows = ranked.rows[chosen]
    placed = ruled.placed if ruled is not None else (_MODEL,) * len(chosen)
    ties = _Ties(slate, ranked, answered.catalogue.resource_map.ids)
    for slot, (row, reasons) in enumerate(zip(rows.tolist(), _reasons(chosen, rows, ranked, answered), strict=True)):
        position, resource = slate.chosen[slot], answered.catalogue.resources[row]
        assert resource is not None, "what was withdrawn is never a candidate"
        by_rules = ruled.reasons(slot) if ruled is not None else ()
        yield Option(
            resource_id=resource.resource_id,
            title=resource.title,
            format=resource.format,
            rank=slot + 1,
            score=ties.of[position].score,
            propensity=slate.chances[slot][position],
            p_success=None,
            expected_minutes=None,
            reasons=in_order(*reasons, *by_rules, *_placed(slate, slot, inquiry=bool(answered.inquiry[row]))),
            near_ties=ties.considered(slot),
            origin=placed[slot].origin,
            status=placed[slot].status,
            due=placed[slot].due,
        )


def flags_of(settled: Settled, answered: Answered) -> tuple[Flag, ...]:
    """What a teacher should know of beside this slate; said once where it is kept."""
    if not settled.flagged:
        settled.flagged[:] = [_flags(settled, answered)]
    return settled.flagged[0]


def _flags(settled: Settled, answered: Answered) -> tuple[Flag, ...]:
    learning = settled.ranked.learning
    if learning is None or not learning.loops or answered.teaching is None or answered.state is None:
        return ()
    return loop_flags(
        learning.loops,
        settled.ranked.rows[list(settled.slate.chosen)].tolist(),
        answered.state,
        answered.query,
        menu=answered.teaching.menu,
        catalogue=answered.catalogue,
        titles=answered.titles,
    )


def _placed(slate: Slate, slot: int, *, inquiry: bool) -> tuple[Reason, ...]:
    """Why it stands in this slot and not another, where its score alone does not say so."""
    position = slate.chosen[slot]
    if position in slate.varied:
        return (variety_reason(inquiry=inquiry),)
    chances = slate.chances[slot]
    return (explored_reason(chances[position]),) if chances[position] < max(chances.values()) else ()


class _Ties:
    """Who was considered for the slots; who had no chance in one is told of once, however many slots that is."""

    def __init__(self, slate: Slate, ranked: Ranked, ids: tuple[str, ...]) -> None:
        self._slate = slate
        drawn_among = [p for chances in slate.chances for p in chances]
        places = list(dict.fromkeys((*slate.ranked, *slate.chosen, *drawn_among)))
        rows, scores = ranked.rows[places].tolist(), ranked.scores[places].tolist()
        self.of = {
            p: NearTie(resource_id=ids[row], score=score, propensity=0.0)
            for p, row, score in zip(places, rows, scores, strict=True)
        }

    def considered(self, slot: int) -> tuple[NearTie, ...]:
        """The near ties of a slot, the chosen one first."""
        chances, of = self._slate.chances[slot], self.of
        return tuple([_with_chance(of[p], chances[p]) if p in chances else of[p] for p in self._slate.considered(slot)])


def _with_chance(tie: NearTie, chance: float) -> NearTie:
    return NearTie(resource_id=tie.resource_id, score=tie.score, propensity=chance) if chance else tie


def _reasons(
    chosen: NDArray[np.int64], rows: NDArray[np.int64], ranked: Ranked, answered: Answered
) -> list[tuple[Reason | None, ...]]:
    """Why each was chosen, in any order, None where there is nothing to say."""
    relevant = ranked.relevant[:, chosen]
    if ranked.learning is None:
        voices = voice_reasons(ranked.voice[chosen], [answered.words.get(row) for row in rows.tolist()])
        if answered.model is None:
            return _planned_reasons(chosen, rows, ranked, voices, answered)
    if answered.model is None:
        raise AssertionError("what is known of learning comes with a model")
    told_of = _relevance(rows, relevant, ranked, answered)
    if ranked.learning is None or answered.state is None or answered.teaching is None:
        return [(*one, voice) for one, voice in zip(told_of, voices, strict=True)]
    told = Told(
        learning=ranked.learning,
        menu=answered.teaching.menu,
        state=answered.state,
        titles=answered.titles,
        resources=answered.catalogue.resources,
        words=answered.words,
        again=ranked.again,
        lately=answered.query.history.resource_index,
        now_us=answered.query.minute_us,
    )
    of_learning = learning_reasons(rows.tolist(), chosen, told)
    return [(*first, *own) for first, own in zip(told_of, of_learning, strict=True)]


def _relevance(
    rows: NDArray[np.int64],
    relevant: NDArray[np.float64],
    ranked: Ranked,
    answered: Answered,
) -> list[tuple[Reason, ...]]:
    """Why these are relevant; what was not said yet is said, and kept in what was told."""
    assert answered.model is not None
    told, alike = ranked.told, None
    if ranked.usual is not None:
        relevant, alike = relevant - ranked.usual[:, None], usual_reason(float(ranked.usual.sum()))
    new = [place for place, row in enumerate(rows.tolist()) if row not in told]
    if new:
        said = reasons_of(
            rows[new], relevant[:, new],
            query=answered.query, model=answered.model, catalogue=answered.catalogue, newcomers=answered.newcomers,
        )  # fmt: skip
        with_usual = [(*one, alike) for one in said] if alike is not None else said
        told.update(zip(rows[new].tolist(), with_usual, strict=True))
    return [told[row] for row in rows.tolist()]


def _planned_reasons(
    chosen: NDArray[np.int64],
    rows: NDArray[np.int64],
    ranked: Ranked,
    voices: Sequence[Reason | None],
    answered: Answered,
) -> list[tuple[Reason | None, ...]]:
    """Why these, where no model is served."""
    wished = np.zeros((2, len(chosen))) if ranked.wishes is None else ranked.wishes[:, chosen]
    found: list[tuple[Reason | None, ...]] = []
    for place, row in enumerate(rows.tolist()):
        resource = answered.catalogue.resources[row]
        planned = planned_reason(
            float(ranked.relevant[:, chosen[place]].sum()),
            planned=resource is not None and resource.position is not None,
        )
        style, minutes = wished[:, place].tolist()
        wishes = wish_reasons(style, minutes, resource.format if resource else "")
        found.append((planned, *wishes, voices[place]))
    return found
