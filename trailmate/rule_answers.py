"""What the service answers about teachers' rules and overrides, typed; none shows a learner in its representation."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """What to know of a rule, in a teacher's words, with the rules it takes."""

    kind: str
    rule_ids: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One version of a rule; `says` is said to a teacher, `ended_at` when it was ended by hand.

    `what` and `scope` may name learners, so they are not shown. `starts` is the rule's `from`.
    """

    id: str
    version: int
    verb: str
    says: str
    in_force: bool
    action: str
    scope: dict[str, str] = field(repr=False)
    what: dict[str, list[str]] = field(repr=False)
    strength: str
    value: Any = None
    starts: str | None = None
    until: str | None = None
    reason: str | None = field(default=None, repr=False)
    author: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    ended_at: datetime | None = None
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One page, by id; `next_cursor` gets the next one."""

    rules: tuple[Rule, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVersions:
    """All versions of one rule, oldest first."""

    versions: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What stands at another rank than before, from 1."""

    resource_id: str
    rank_before: int
    rank_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a draft changes for one learner; `few` says that fewer than three options would be left."""

    learner_id: str = field(repr=False)
    leaves: tuple[str, ...]
    enters: tuple[str, ...]
    moves: tuple[Move, ...]
    n_before: int
    n_after: int
    few: bool
    conflict: tuple[str, ...] = ()
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a draft would do at a moment; `refused` says that it could not be saved, `problems` why."""

    at: datetime
    summary: str
    refused: bool
    problems: tuple[Warned, ...]
    n_learners: int
    n_looked_at: int
    n_changed: int
    n_few: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One version of an override, and the ids of the rules it comes to, as `rules` of an answer name them."""

    override_id: str
    kind: str
    version: int
    says: str
    in_force: bool
    action: str
    scope: dict[str, str] = field(repr=False)
    resource_ids: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    instead_of: str | None = None
    due: str | None = None
    value: float | None = None
    starts: str | None = None
    until: str | None = None
    reason: str | None = field(default=None, repr=False)
    author: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    ended_at: datetime | None = None
    rule_ids: tuple[str, ...] = ()
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """One page, by id; `next_cursor` gets the next one."""

    overrides: tuple[Override, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideVersions:
    """All versions of one override, oldest first."""

    versions: tuple[Override, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Of one resource: how many did it since, and their mean outcome."""

    resource_id: str
    n_done: int
    mean_outcome: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What became of what a teacher put in, in numbers and in words."""

    since: datetime
    until: datetime
    n_learners: int
    n_done: int
    mean_outcome: float | None
    resources: tuple[Done, ...]
    words: str
