"""What serving needs of a store of what schools offer; see `serving.storage.port`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from engine.domain.resource import Resource
from engine.domain.skill import Skill
from serving.storage.acts import Act


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCounts:
    """What a whole-set sync changed, or would change."""

    added: int
    changed: int
    withdrawn: int
    unchanged: int


class CatalogueStore(Protocol):
    """What a school offers, and the skills it teaches."""

    async def resources(self, tenant: str) -> list[Resource]:
        """Those offered now, by id; withdrawn ones are left out."""

    async def withdrawn(self, tenant: str) -> list[Resource]:
        """Those offered once, by id; each `available_until` the moment it was withdrawn, or an earlier one."""

    async def sync_resources(
        self,
        tenant: str,
        resources: Sequence[Resource],
        *,
        at: datetime,
        keep: frozenset[str] = frozenset(),
        dry_run: bool = False,
        act: Act | None = None,
    ) -> SyncCounts:
        """Make this the whole set from `at` on; absent ones are withdrawn, but the ids in `keep` stay as they are.

        With an `act`, here and below, what changes is written into the audit in the same transaction.
        """

    async def put_resources(self, tenant: str, resources: Sequence[Resource], *, act: Act | None = None) -> None:
        """Add or replace these, and leave the others alone."""

    async def change_resource(
        self, tenant: str, resource_id: str, change: Callable[[Resource], Resource], *, act: Act | None = None
    ) -> Resource | None:
        """Make of a resource on offer what `change` says, and give that; None where it is not on offer.

        Where `change` raises, nothing was changed.
        """

    async def withdraw_resource(
        self, tenant: str, resource_id: str, *, at: datetime, act: Act | None = None
    ) -> Resource | None:
        """Withdraw one from `at` on, and give it as it was; None where it is not on offer. Its history stays."""

    async def skills(self, tenant: str) -> list[Skill]:
        """All skills, by id."""

    async def put_skills(self, tenant: str, skills: Sequence[Skill], *, act: Act | None = None) -> None:
        """Add or replace these."""
