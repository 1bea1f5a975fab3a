"""The fold: a learner's events, in their own sequence, into one state.

The order in which events arrive and how often they arrive do not matter: whoever has the same events has the same
state, bit for bit. An event that belongs before the last one folded, and a voiding, are folded by starting again.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.domain.resource import Resource
from engine.learner.kernels import BLOCK, started
from engine.learner.kernels import fold as fold_rows
from engine.learner.model import LearnerModel
from engine.learner.preferences import legible, preferences_of
from engine.learner.review import Memory, reviewed
from engine.learner.rows import TAUGHT_KINDS, item_key, rows_of, skill_key
from engine.learner.state import NO_STYLE, Check, LearnerState, Shown
from engine.learner.style import Style, style_after
from engine.learner.voices import Spoken, heard

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


@lru_cache(maxsize=256)
def _basis(version: str, offer_hash: str) -> str:
    return hashlib.sha256(f"{version} {offer_hash}".encode()).hexdigest()[:12]


def basis_of(model: LearnerModel, offer: Offer) -> str:
    """Twelve digits for what a state stands on beside its events: where they differ, it has to be folded again."""
    return _basis(model.version, offer.hash)


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
    draft = _Draft(
        dict(state.memories), state.style, state.shown, state.checks, state.spoken, state.goal, state.preferences
    )
    for event in events:
        _style(draft, event, model, offer)
        _remember(draft, event, offer)
        _hear(draft, event, offer)
        draft.spoken = heard(draft.spoken, event)
    return LearnerState(
        basis=state.basis,
        whole=whole,
        blocks=blocks,
        last=place_of(events[-1]),
        n_events=state.n_events + len(events),
        voided=state.voided,
        memories=draft.memories,
        style=draft.style,
        shown=draft.shown,
        checks=draft.checks,
        spoken=draft.spoken,
        goal=draft.goal,
        preferences=draft.preferences,
    )


@dataclass(slots=True)
class _Draft:
    """What is rewritten event by event; a state is made of it once, at the end."""

    memories: dict[int, Memory]
    style: Style
    shown: tuple[Shown, ...]
    checks: tuple[Check, ...]
    spoken: tuple[Spoken, ...]
    goal: str | None
    preferences: str | None


def _remember(draft: _Draft, event: Interaction, offer: Offer) -> None:
    """An answer reviews its skills and keeps a promised check; not the outcome of a rating, only of work."""
    if event.outcome is None or event.outcome != event.outcome or event.kind not in TAUGHT_KINDS:
        return
    outcome = min(max(event.outcome, 0.0), 1.0)
    skills, at_us = _skills(event, offer), microseconds(event.at)
    for skill in skills:
        key = skill_key(skill)
        draft.memories[key] = reviewed(draft.memories.get(key), outcome=outcome, at_us=at_us)
    if draft.checks:
        draft.checks = tuple(c for c in draft.checks if c.skill_id not in skills)


def _style(draft: _Draft, event: Interaction, model: LearnerModel, offer: Offer) -> None:
    name = offer.formats.get(event.resource_id or "")
    if name is None:
        return
    if event.kind != "shown":
        draft.style = style_after(
            draft.style,
            format=name,
            kind=event.kind,
            shown=_beside(draft.shown, event),
            prior=model.format_mix,
            at_us=microseconds(event.at),
        )
    elif event.decision_id is not None or event.at is not None:
        # Of anything else nobody can tell what stood beside it.
        draft.shown = _shown(draft.shown, event, name)


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


def _hear(draft: _Draft, event: Interaction, offer: Offer) -> None:
    """What the learner said: a goal, preferences, or that a check is due. Mastery is what answers say, not words."""
    if event.kind in ("goal_set", "preferences_set") and not legible(event.kind, event.value):
        # What nobody can read takes back nothing, least of all a need.
        return
    if event.kind == "goal_set":
        draft.goal = event.value
    elif event.kind == "preferences_set":
        draft.preferences = event.value
        if preferences_of(event.value).forget_observed:
            draft.style = NO_STYLE
    elif event.kind in ("know_it", "contested"):
        said = tuple(Check(s, event.kind, microseconds(event.at)) for s in _skills(event, offer))
        named = {c.skill_id for c in said}
        draft.checks = (*(c for c in draft.checks if c.skill_id not in named), *said)


def _skills(event: Interaction, offer: Offer) -> tuple[str, ...]:
    given = event.skills if event.skills is not None else offer.skills.get(event.resource_id or "", ())
    return tuple(sorted(set(given)))
