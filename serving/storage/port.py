"""What serving needs of a store, whatever database stands behind it.

Everything is keyed by tenant. All methods raise `engine.domain.errors.Unavailable` where the store is away.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from engine.domain.decision import Decision, NearTie, RuleHeld
from engine.domain.grouping import Grouping
from engine.domain.interaction import Interaction
from engine.domain.learner import Learner, SchoolClass
from serving.storage.acts import Act, Change, Entry, Wanted
from serving.storage.chosen import GroupingStore
from serving.storage.offered import CatalogueStore
from serving.storage.questions import ApprovalStore


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch: counts, (index, reason) of what was refused, and the tenant's last `seq`."""

    accepted: int
    duplicates: int
    rejected: tuple[tuple[int, str], ...]
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptState:
    """What a learner's events up to their event `seq` came to, in the bytes it was put in."""

    seq: int
    content: bytes


class LearnerContext(msgspec.Struct, frozen=True, kw_only=True):
    """Everything kept of one learner that a decision needs, and how far the store had come when it was read.

    `arrived` are the `seq` of the interactions, ascending. `rules_version` counts changes of the tenant's rules.
    """

    learner: Learner | None
    interactions: Sequence[Interaction]
    arrived: Sequence[int]
    state: KeptState | None
    classes: Mapping[str, SchoolClass]
    seq: int
    catalogue_version: int
    rules_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One line of the decision log; slot 0 without a resource is a decision that offered nothing."""

    seq: int
    decision_id: str
    at: datetime
    learner_id: str
    class_id: str | None
    slot: int
    resource_id: str | None
    score: float | None
    propensity: float | None
    origin: str | None
    mode: str
    bundle: str
    catalogue_hash: str
    near_ties: tuple[NearTie, ...]
    rules: tuple[RuleHeld, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as it is kept: never the secret, only its hash."""

    key_id: str
    tenant: str
    scopes: tuple[str, ...]
    secret_hash: str = field(repr=False)
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What a request was answered, byte for byte."""

    status: int
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What stands under a key: which request, whether this claim put it there, and its answer once there is one."""

    fingerprint: str
    is_new: bool
    answer: KeptAnswer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A learner whom events name in a class and a group, or in neither."""

    learner_id: str
    class_id: str | None
    group_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRule:
    """One version of a rule or an override: `record` is its JSON object, as whoever put it wrote it.

    `scope` is its kind and id, as `Scope.key`. `created_at` is when its first version was made, `at` when this one was,
    by `action` of `author`. `ended_at` is the moment it was ended by hand, None while it was not.
    """

    rule_id: str
    origin: str
    verb: str
    scope: tuple[str, str]
    version: int
    record: str
    created_at: datetime
    at: datetime
    action: str
    author: str
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All rules and overrides that were not ended, by id, at one `version` of the tenant's rules, and which version of
    the offer there was then.

    `frozen`: by rule and learner, the resources on the learner's path when the rule froze it. `groupings`: the last
    twelve of each class, the newest first, since rules may be for a group.
    """

    version: int
    catalogue_version: int
    rules: tuple[KeptRule, ...]
    frozen: Mapping[str, Mapping[str, tuple[str, ...]]]
    groupings: tuple[Grouping, ...] = ()


class EventStore(Protocol):
    """The log of interactions; what is appended once is never changed."""

    async def append(
        self, tenant: str, interactions: Sequence[Interaction], *, stamp: datetime | None = None
    ) -> Appended:
        """Keep all new events in one durable transaction; `stamp` becomes the time of those that have none.

        An id seen before counts as a duplicate where the content is the same (a time left out agrees with any),
        and is refused where it is not. Times that are kept lie in whole microseconds.
        """

    async def after(self, tenant: str, seq: int, limit: int) -> list[tuple[int, Interaction]]:
        """Events kept since `seq`, oldest first, at most `limit`, each with its own `seq`."""

    async def context(self, tenant: str, learner_id: str, class_id: str | None = None) -> LearnerContext:
        """What is kept of one learner; an unknown learner has no record and no interactions."""

    async def contexts(
        self, tenant: str, learner_ids: Sequence[str], class_id: str | None = None
    ) -> dict[str, LearnerContext]:
        """What is kept of each of these learners, read at once and equal to what `context` gives of each alone."""

    async def remembered(self, tenant: str, learner_ids: Sequence[str]) -> dict[str, LearnerContext | None]:
        """What was known of each of these learners when they were last asked for; never raises Unavailable.

        For the time while the store is away. It may be older than what is kept, and None for anybody.
        """


class PeopleStore(Protocol):
    """What a school told about learners and classes."""

    async def learners(self, tenant: str) -> list[Learner]:
        """All learners with a record, by id."""

    async def put_learners(
        self,
        tenant: str,
        learners: Sequence[Learner],
        *,
        untold: Collection[str] = (),
        act: Act | None = None,
    ) -> list[Learner]:
        """Add or replace these, and give them as they are kept.

        `untold`: ids of those of whom nothing is said about `sharing`, so what stands of it stays.
        """

    async def members(self, tenant: str, class_id: str) -> list[str]:
        """Ids of the learners whose record names this class, and of those with events in it, sorted."""

    async def met(self, tenant: str) -> list[Met]:
        """Where learners were met: each learner, class and group that events name together, in order of the last one.

        It reads the whole log of the tenant, so it is for the desk and not for answers.
        """

    async def classes(self, tenant: str) -> list[SchoolClass]:
        """All classes, by id."""

    async def put_classes(self, tenant: str, classes: Sequence[SchoolClass], *, act: Act | None = None) -> None:
        """Add or replace these."""


class DecisionStore(Protocol):
    """What was offered to whom, with the probabilities it had."""

    async def record(self, tenant: str, *decisions: Decision) -> None:
        """Keep all of these decisions or none, durably; each has a `seq` of its own."""

    async def after(self, tenant: str, seq: int, limit: int) -> list[Slot]:
        """The lines, one per slot, of up to `limit` decisions kept since `seq`, oldest first."""


class StateStore(Protocol):
    """What learners' events come to, so that not every request folds all of them; read through a learner's context."""

    async def put(self, tenant: str, learner_id: str, seq: int, content: bytes) -> None:
        """Keep this state, unless one of a later `seq` is kept already."""

    async def put_all(self, tenant: str, states: Mapping[str, KeptState]) -> None:
        """Keep the states of these learners, by id, in one transaction, under the same rule."""

    async def forget(self, tenant: str, learner_id: str) -> None:
        """Throw away the state of this learner, and every copy of what was read of them."""


class AnswerStore(Protocol):
    """Answers to requests that carry a key of their own, kept until they run out."""

    async def claim(self, tenant: str, key: str, fingerprint: str, *, now: datetime, until: datetime) -> Claim:
        """Hold the key until `until` for the request of this fingerprint, or give what stands under it at `now`.

        Of many at once exactly one is new. What ran out counts as never been.
        """

    async def keep(self, tenant: str, key: str, answer: KeptAnswer, *, until: datetime) -> None:
        """Keep the answer under a key that is held; one that stands there stays."""

    async def release(self, tenant: str, key: str) -> None:
        """Let go of a key that is held; an answer that stands there stays."""


class RuleStore(Protocol):
    """Teachers' rules and overrides; whatever one of them said once can be read for ever."""

    async def standing(self, tenant: str) -> Standing:
        """What stands now, read in one snapshot with its version."""

    async def find(self, tenant: str, rule_id: str) -> KeptRule | None:
        """The last version of one of them, ended or not."""

    async def versions(self, tenant: str, rule_id: str) -> list[KeptRule]:
        """All versions of one of them, oldest first."""

    async def page(
        self, tenant: str, *, origin: str, after: str, limit: int, scope: tuple[str, str] | None, verb: str | None
    ) -> list[KeptRule]:
        """The last versions of those with greater ids than `after`, by id, at most `limit`; ended ones among them."""

    async def put(
        self,
        tenant: str,
        rule: KeptRule,
        *,
        seen: int,
        frozen: Mapping[str, tuple[str, ...]] | None = None,
        act: Act | None = None,
    ) -> bool:
        """Make this the last version, if nothing of the tenant's rules changed since version `seen` of them.

        Its own version is one more than the last. `frozen` takes the place of the paths that the rule froze before;
        None leaves them. False where something changed: look again.
        """


class AuditStore(Protocol):
    """Who changed what, for whom and why: one chain of entries for each tenant, which only ever grows.

    Other ports write into it, in the transaction of the change itself.
    """

    async def append(self, tenant: str, act: Act, *changes: Change) -> None:
        """Add an entry for each change that leaves nothing else behind in this store."""

    async def entries(self, tenant: str, wanted: Wanted, *, before: int | None, limit: int) -> list[Entry]:
        """Those that are wanted, newest first, of numbers below `before`, at most `limit`."""

    async def after(self, tenant: str, seq: int, limit: int) -> list[Entry]:
        """Entries since number `seq`, oldest first, at most `limit`."""

    async def head(self, tenant: str) -> tuple[int, str]:
        """Number and hash of the last entry; 0 and the root where there is none."""

    async def tenants(self) -> list[str]:
        """Those that have a chain, by name."""

    async def erase(self, tenant: str, learner_id: str, act: Act) -> int:
        """Delete what the entries say that speak of this learner, and how many there were; the chain stays whole.

        An entry of its own says which they are. What `act` gives must not name the learner.
        """


class KeyStore(Protocol):
    """Who may ask; keys that are made and revoked are written into the audit."""

    async def add(self, key: Key, *, act: Act | None = None) -> None:
        """Keep a new key; without an `act`, a command made it."""

    async def find(self, key_id: str) -> Key | None:
        """The key of this id, revoked or not."""

    async def of_tenant(self, tenant: str) -> list[Key]:
        """All keys of a tenant, oldest first."""

    async def revoke(self, tenant: str, key_id: str, at: datetime, *, act: Act | None = None) -> bool:
        """Revoke from now on; False where the tenant has no such key. Revoking twice keeps the first time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The eleven ports of one database; `store_id` tells two apart.

    `waiting` says how much waits for its return, `away_s` for how many seconds it has not answered, 0 while it does;
    `copies_away_s` the same of the Redis that servers share copies in.
    """

    store_id: str
    events: EventStore
    catalogue: CatalogueStore
    people: PeopleStore
    groupings: GroupingStore
    decisions: DecisionStore
    states: StateStore
    answers: AnswerStore
    rules: RuleStore
    approvals: ApprovalStore
    keys: KeyStore
    audit: AuditStore
    waiting: Callable[[], int] = int
    away_s: Callable[[], float] = float
    copies_away_s: Callable[[], float] = float
