"""What the service answers, typed; a representation never shows who a learner is."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One term of an option's score, said for the learner and for the teacher."""

    code: str
    contribution: float
    text_learner: str
    text_teacher: str
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One resource of the slate; `rank` counts from 1, `expected_minutes` is None where nobody knows."""

    resource_id: str
    title: str
    rank: int
    score: float
    propensity: float
    origin: str = "model"
    status: str = "recommended"
    format: str | None = None
    p_success: float | None = None
    expected_minutes: float | None = None
    reasons: tuple[Reason, ...] = ()
    what_if: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One decision: the slate in order, the mode it was made in and what it stands on."""

    decision_id: str
    mode: str
    slate: tuple[Option, ...]
    learner_id: str = field(repr=False)
    model_version: str | None = None
    rules: tuple[dict[str, Any], ...] = ()
    seen_token: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """One event that was not kept: its place among the events sent, from 0, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of the events sent; `seen_token` handed to `recommend` makes sure they were seen."""

    accepted: int
    duplicates: int
    rejected: tuple[Rejected, ...] = ()
    seen_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What a whole-set sync changed, or with `dry_run` would change; a rejected resource stays as it was."""

    added: int = 0
    changed: int = 0
    withdrawn: int = 0
    unchanged: int = 0
    rejected: tuple[Rejected, ...] = ()
    dry_run: bool = False
