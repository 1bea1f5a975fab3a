"""One logged choice: what was asked, what was offered, and why.

What is made many times for each answer is a `msgspec.Struct`, which takes a tenth of the time of a frozen dataclass.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

MODES = ("personalised", "reduced", "cold", "fallback", "non_personalised")
OBJECTIVES = ("learning", "uptake")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a school app asks for; `candidates` None means everything available and not yet seen.

    With `again`, what was seen comes back for a promised check, a due review, or a goal with nothing new left.

    `goal` names the skills to aim at, for this answer; None means the goal the learner set. `explore` lets near-ties
    take turns, drawn by `seed`. `minutes_ahead` is how much work is left for the goal, None where nobody knows: no way
    around is begun that takes longer.
    """

    learner_id: str
    k: int = 5
    objective: str = "learning"
    class_id: str | None = None
    minutes: float | None = None
    formats: tuple[str, ...] | None = None
    candidates: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    goal: tuple[str, ...] | None = None
    explore: bool = False
    seed: int | None = None
    non_personalised: bool = False
    again: bool = True
    minutes_ahead: float | None = None


class Reason(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One term of an option's score, said for the learner and for the teacher; contributions add up to the score.

    `phrase` names the template of both texts, `evidence` holds every fact they name.
    """

    code: str
    contribution: float
    text_learner: str
    text_teacher: str
    evidence: dict[str, float | str] = {}
    phrase: str = ""


class Said(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A sentence in English, and what it says apart from words: its `code`, and in `facts` all that it names."""

    code: str
    text: str
    facts: dict[str, str | float | tuple[str, ...]] = {}


class NearTie(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A candidate that was considered for a slot, with the probability it had of being chosen there."""

    resource_id: str
    score: float
    propensity: float


class Option(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One slot of the slate; `near_ties` holds the candidates considered for it, the chosen one among them."""

    resource_id: str
    title: str
    format: str
    rank: int
    score: float
    propensity: float
    p_success: float | None
    expected_minutes: float | None
    reasons: tuple[Reason, ...]
    near_ties: tuple[NearTie, ...]
    origin: str = "model"
    status: str = "recommended"
    due: str | None = None


class Flag(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something a teacher should know of: a `loop` is a skill on which the last steps brought no progress.

    `facts` holds all that the text names.
    """

    code: str
    skill_id: str
    text_teacher: str
    facts: dict[str, str | float | tuple[str, ...]] = {}


class RuleHeld(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Of one teacher's rule that touched a decision: whether it held in what is shown, and what it did, in words."""

    rule_id: str
    held: bool
    effect: str
    verb: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the engine chose: the slate, the mode it was made in, and the versions it stands on.

    `rules` are those that touched it; `conflict` names the smallest set of rules that could not all hold. `told` says
    what `message` does apart from words. `beside` is room for what others make of the slate, its reasons and `rules`:
    where the same slate is decided again, it is there.
    """

    decision_id: str
    learner_id: str
    at: datetime
    mode: str
    bundle: str
    catalogue_hash: str
    class_id: str | None
    slate: tuple[Option, ...]
    flags: tuple[Flag, ...] = ()
    rules: tuple[RuleHeld, ...] = ()
    conflict: tuple[str, ...] = ()
    message: str | None = None
    told: Said | None = None
    beside: dict[str, Any] = {}
