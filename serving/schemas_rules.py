"""The wire of teachers' rules and overrides, apart from the rule itself, whose form is the language's own."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from serving.errors import ProblemWithRule
from serving.schemas import MAX_K, Id

MAX_PAGE = 200


class RuleIn(msgspec.Struct, kw_only=True, rename={"starts": "from"}):
    """A rule in the form of `GET /v1/rules/schema`, which tells what each verb may name and needs."""

    id: Id
    verb: str
    scope: dict[str, Id] = {}
    what: dict[str, list[Id]] = {}
    value: Any = None
    strength: str | None = None
    starts: str | None = None
    until: str | None = None
    reason: str | None = None
    author: str | None = None


class RuleOut(msgspec.Struct, kw_only=True, rename={"starts": "from"}):
    """One version of a rule; `says` is said to a teacher, `in_force` is now, `ended_at` when it was ended by hand.

    `warnings` are what whoever saved it should know.
    """

    id: str
    language: int
    version: int
    scope: dict[str, str]
    verb: str
    what: dict[str, list[str]]
    value: Any
    strength: str
    starts: str | None
    until: str | None
    reason: str | None
    author: str | None
    created_at: datetime
    updated_at: datetime
    action: str
    ended_at: datetime | None
    in_force: bool
    says: str
    warnings: tuple[ProblemWithRule, ...] = ()


class RulesOut(msgspec.Struct):
    """One page, by id; `next_cursor` gets the next one, None where there is none."""

    rules: list[RuleOut]
    next_cursor: str | None


class RuleVersionsOut(msgspec.Struct):
    """All versions of one rule, oldest first."""

    versions: list[RuleOut]


class PreviewIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A draft of a rule, and how many options are shown at most."""

    rule: RuleIn
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_K)] = 5


class MoveOut(msgspec.Struct):
    """What stands at another rank than before, from 1."""

    resource_id: str
    rank_before: int
    rank_after: int


class ChangeOut(msgspec.Struct, kw_only=True):
    """What a draft changes for one learner; `few` says that fewer than three options would be left."""

    learner_id: str
    leaves: tuple[str, ...]
    enters: tuple[str, ...]
    moves: tuple[MoveOut, ...]
    n_before: int
    n_after: int
    few: bool
    conflict: tuple[str, ...]
    message: str | None


class PreviewOut(msgspec.Struct, kw_only=True):
    """What a draft would do at the moment `at`, to those of its scope that were looked at.

    `refused` says that it could not be saved; `problems` tell why, and what to know besides. `titles` are those of all
    resources that `changes` name.
    """

    at: datetime
    summary: str
    refused: bool
    problems: tuple[ProblemWithRule, ...]
    n_learners: int
    n_looked_at: int
    n_changed: int
    n_few: int
    changes: list[ChangeOut]
    titles: dict[str, str] = {}


class OverrideIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename={"starts": "from"}):
    """A teacher's one-off change; which fields a kind takes is told in the guide."""

    kind: str
    scope: dict[str, Id] = {}
    resource_ids: tuple[Id, ...] = ()
    resource_id: Id | None = None
    skills: tuple[Id, ...] = ()
    instead_of: Id | None = None
    due: str | None = None
    value: float | None = None
    starts: str | None = None
    until: str | None = None
    reason: str | None = None
    author: str | None = None


class OverrideOut(msgspec.Struct, kw_only=True, rename={"starts": "from"}):
    """One version of an override, and the ids of the rules it comes to, as `rules` of an answer name them."""

    override_id: str
    kind: str
    version: int
    scope: dict[str, str]
    resource_ids: tuple[str, ...]
    skills: tuple[str, ...]
    instead_of: str | None
    due: str | None
    value: float | None
    starts: str | None
    until: str | None
    reason: str | None
    author: str
    created_at: datetime
    updated_at: datetime
    action: str
    ended_at: datetime | None
    in_force: bool
    says: str
    rule_ids: tuple[str, ...]
    warnings: tuple[ProblemWithRule, ...] = ()


class OverridesOut(msgspec.Struct):
    """One page, by id; `next_cursor` gets the next one, None where there is none."""

    overrides: list[OverrideOut]
    next_cursor: str | None


class OverrideVersionsOut(msgspec.Struct):
    """All versions of one override, oldest first."""

    versions: list[OverrideOut]


class DoneOut(msgspec.Struct):
    """Of one resource: how many did it since, and their mean outcome, None where no answer was scored."""

    resource_id: str
    n_done: int
    mean_outcome: float | None


class EffectOut(msgspec.Struct, kw_only=True):
    """What became of what a teacher put in: of `n_learners` in scope, `n_done` did all of it since `since`."""

    since: datetime
    until: datetime
    n_learners: int
    n_done: int
    mean_outcome: float | None
    resources: list[DoneOut]
    words: str
