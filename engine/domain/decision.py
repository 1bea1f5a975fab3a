"""One logged choice: what was asked, what was offered, and why."""

from dataclasses import dataclass, field
from datetime import datetime

MODES = ("personalised", "reduced", "cold", "fallback", "non_personalised")
OBJECTIVES = ("learning", "uptake")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a school app asks for; `candidates` None means everything available and not yet seen.

    With `again`, what was seen comes back for a promised check, a due review, or a goal with nothing new left.

    `goal` names the skills to aim at, for this answer; None means the goal the learner set. `explore` lets near-ties
    take turns, drawn by `seed`.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One term of an option's score, said for the learner and for the teacher; contributions add up to the score.

    `phrase` names the template of both texts, `evidence` holds every fact they name.
    """

    code: str
    contribution: float
    text_learner: str
    text_teacher: str
    evidence: dict[str, float | str] = field(default_factory=dict)
    phrase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearTie:
    """A candidate that was considered for a slot, with the probability it had of being chosen there."""

    resource_id: str
    score: float
    propensity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Something a teacher should know of: a `loop` is a skill on which the last steps brought no progress."""

    code: str
    skill_id: str
    text_teacher: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the engine chose: the slate, the mode it was made in, and the versions it stands on."""

    decision_id: str
    learner_id: str
    at: datetime
    mode: str
    bundle: str
    catalogue_hash: str
    class_id: str | None
    slate: tuple[Option, ...]
    flags: tuple[Flag, ...] = ()
    message: str | None = None
