"""The fold: a learner's events, in their own sequence, into one state.

The order in which events arrive and how often they arrive do not matter: whoever has the same events has the same
state, bit for bit. An event that belongs before the last one folded, and a voiding, are folded by starting again.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.domain.resource import Resource
from engine.learner.kernels import BLOCK, started
from engine.learner.kernels import fold as fold_rows
from engine.learner.model import LearnerModel
from engine.learner.preferences import preferences_of
from engine.learner.review import reviewed
from engine.learner.rows import TAUGHT_KINDS, item_key, rows_of, skill_key
from engine.learner.state import NO_STYLE, Check, LearnerState, Shown
from engine.learner.style import style_after

N_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Offer:
    """What the fold needs of resources, withdrawn ones among them: their skills and formats by id."""

    skills: Mapping[str, tuple[str, ...]]
    formats: Mapping[str, str]
    hash: str


def offer_of(resources: Iterable[Resource]) -> Offer:
    """The offer of these resources."""
    known = sorted(resources, key=lambda r: r.resource_id)
    digest = hashlib.sha256(repr([(r.resource_id, r.skills, r.format) for r in known]).encode()).hexdigest()
    return Offer({r.resource_id: r.skills for r in known}, {r.resource_id: r.format for r in known}, digest[:12])


def basis_of(model: LearnerModel, offer: Offer) -> str:
    """Twelve digits for what a state stands on beside its events: where they differ, it has to be folded again."""
    return hashlib.sha256(f"{model.version} {offer.hash}".encode()).hexdigest()[:12]


def place_of(event: Interaction) -> tuple[int, int, str]:
    """Where an event stands in its learner's sequence."""
    return (microseconds(event.at), event.order or 0, event.event_id)


def fresh(model: LearnerModel, offer: Offer) -> LearnerState:
    """A learner of whom nothing is known."""
    return LearnerState(basis_of(model, offer), started(model.prepared.statics), np.zeros(0, BLOCK))


def folded(events: Iterable[Interaction], model: LearnerModel, offer: Offer) -> LearnerState:
    """The state of one learner from all their events, in any order, repeated or not; voided ones leave no trace."""
    known = list(events)
    voided = {e.voids for e in known if e.kind == "voided" and e.voids is not None}
    once = {e.event_id: e for e in known if e.kind != "voided" and e.event_id not in voided}
    nobody = replace(fresh(model, offer), voided=tuple(sorted(voided)))
    return _update(nobody, sorted(once.values(), key=place_of), model, offer)


def caught_up(
    state: LearnerState | None,
    arrived: Sequence[Interaction],
    everything: Callable[[], Iterable[Interaction]],
    *,
    model: LearnerModel,
    offer: Offer,
) -> LearnerState:
    """The state with what arrived since; from `everything` where a late event, a voiding or a new model asks for it."""
    usable = state is not None and state.basis == basis_of(model, offer)
    if not usable or any(e.kind == "voided" or place_of(e) <= state.last for e in arrived):  # type: ignore[union-attr]
        return folded(everything(), model, offer)
    assert state is not None
    once = {e.event_id: e for e in arrived if e.event_id not in state.voided}
    return _update(state, sorted(once.values(), key=place_of), model, offer)


def _update(state: LearnerState, events: Sequence[Interaction], model: LearnerModel, offer: Offer) -> LearnerState:
    """The state after events that all come after its last one, in sequence."""
    if not events:
        return state
    taught = [e for e in events if e.kind in TAUGHT_KINDS and e.resource_id is not None]
    whole, blocks = state.whole, state.blocks
    if taught:
        rows = rows_of(taught, offer.skills, model.vocabulary)
        whole, blocks, _ = fold_rows(model.prepared, rows, whole, blocks)
    state = replace(state, whole=whole, blocks=blocks, last=place_of(events[-1]), n_events=state.n_events + len(events))
    for event in events:
        state = _said(_remembered(_styled(state, event, model, offer), event, offer), event, offer)
    return state


def _remembered(state: LearnerState, event: Interaction, offer: Offer) -> LearnerState:
    """An answer reviews its skills and keeps a promised check; not the outcome of a rating, only of work."""
    if event.outcome is None or event.kind not in TAUGHT_KINDS:
        return state
    skills = _skills(event, offer)
    memories = dict(state.memories)
    for skill in skills:
        key = skill_key(skill)
        memories[key] = reviewed(memories.get(key), outcome=event.outcome, at_us=microseconds(event.at))
    left = tuple(c for c in state.checks if c.skill_id not in skills)
    return replace(state, memories=memories, checks=left)


def _styled(state: LearnerState, event: Interaction, model: LearnerModel, offer: Offer) -> LearnerState:
    name = offer.formats.get(event.resource_id or "")
    if name is None:
        return state
    if event.kind == "shown" and event.decision_id is None and event.at is None:
        # Nobody can tell what stood beside it.
        return state
    if event.kind == "shown":
        return replace(state, shown=_shown(state.shown, event, name))
    style = style_after(
        state.style,
        format=name,
        kind=event.kind,
        shown=_beside(state.shown, event),
        prior=model.format_mix,
        at_us=microseconds(event.at),
    )
    return replace(state, style=style)


def _shown(slates: tuple[Shown, ...], event: Interaction, name: str) -> tuple[Shown, ...]:
    """The slates with one more resource on its own; without a decision, what was shown at one moment is a slate."""
    slate_id = event.decision_id or f"at {microseconds(event.at)}"
    key = item_key(event.resource_id or "")
    if slates and slates[-1].decision_id == slate_id:
        last = slates[-1]
        return (*slates[:-1], Shown(slate_id, (*last.keys, key), (*last.formats, name)))
    return (*slates[-N_SHOWN + 1 :], Shown(slate_id, (key,), (name,)))


def _beside(slates: tuple[Shown, ...], event: Interaction) -> tuple[str, ...]:
    """The formats that stood on the slate this event answers; none where no slate is known."""
    key = item_key(event.resource_id or "")
    for slate in reversed(slates):
        if slate.decision_id == event.decision_id or key in slate.keys:
            return slate.formats
    return ()


def _said(state: LearnerState, event: Interaction, offer: Offer) -> LearnerState:
    """What the learner said: a goal, preferences, or that a check is due. Mastery is what answers say, not words."""
    if event.kind == "goal_set":
        return replace(state, goal=event.value)
    if event.kind == "preferences_set":
        return _preferring(state, event.value)
    if event.kind in ("know_it", "contested"):
        said = tuple(Check(s, event.kind, microseconds(event.at)) for s in _skills(event, offer))
        named = {c.skill_id for c in said}
        return replace(state, checks=(*(c for c in state.checks if c.skill_id not in named), *said))
    return state


def _preferring(state: LearnerState, value: str | None) -> LearnerState:
    """New preferences; they may ask to forget what was observed of formats."""
    forgotten = preferences_of(value).forget_observed
    return replace(state, preferences=value, style=NO_STYLE if forgotten else state.style)


def _skills(event: Interaction, offer: Offer) -> tuple[str, ...]:
    given = event.skills if event.skills is not None else offer.skills.get(event.resource_id or "", ())
    return tuple(sorted(set(given)))
