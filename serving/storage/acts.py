"""What is said of a change in the audit: who made it, of what, for whom, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

# Who acts where no key does: whoever may run commands on the server.
COMMAND = "command"
_NOBODY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Somebody doing something: the id of the key it was done with, and what they gave as their name and reason."""

    at: datetime
    actor: str
    author: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that an act changed, such as `rule.create` of a rule; `before` and `after` have a plain JSON form.

    `scope` is for whom it is (`class_id`, `group_id` or `learner_id`, `{}` everybody). `about` names what else it
    speaks of, as (kind, id): every learner among them has a say in how long it is kept.
    """

    action: str
    kind: str
    object_id: str
    scope: Mapping[str, str] = field(default_factory=lambda: _NOBODY)
    before: object = None
    after: object = None
    about: tuple[tuple[str, str], ...] = ()

    def subjects(self) -> tuple[tuple[str, str], ...]:
        """The object itself, the learner it is for, and all else it speaks of, each once, as (kind, id)."""
        learner = self.scope.get("learner_id")
        own = ((self.kind, self.object_id), *((("learner", learner),) if learner else ()))
        return tuple(dict.fromkeys((*own, *self.about)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an entry says, as texts in canonical JSON, and the salt that its hashes are made with.

    `told` holds author, object_id, reason and scope. None of it is in the chain, so that it can be erased.
    """

    salt: str = field(repr=False)
    told: str = field(repr=False)
    before: str | None = field(repr=False)
    after: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One link of a tenant's chain; `content` is None once it was erased.

    `told_hash`, `before_hash` and `after_hash` are of the content, `previous` is the hash of the entry before.
    """

    tenant: str
    seq: int
    at_us: int
    actor: str
    action: str
    kind: str
    told_hash: str
    before_hash: str | None
    after_hash: str | None
    previous: str
    hash: str
    content: Content | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries are asked for: those of a thing, of a learner, by somebody; None asks for all."""

    kind: str | None = None
    object_id: str | None = None
    learner_id: str | None = None
    actor: str | None = None
