"""The port that keeps the groups which teachers chose."""

from collections.abc import Callable
from typing import Protocol

from engine.domain.grouping import Grouping
from serving.storage.acts import Act

# Looks at the grouping that stands under an id, None where none does, while nobody else can change it; what it raises
# ends the change.
Check = Callable[[Grouping | None], None]


class GroupingStore(Protocol):
    """The groups that teachers chose for their classes; whatever changes them counts as a change of the rules."""

    async def put(self, tenant: str, grouping: Grouping, *, act: Act | None = None, check: Check | None = None) -> bool:
        """Keep this grouping, in place of the one of its id; False where that is another class's, and stays."""

    async def delete(
        self, tenant: str, grouping_id: str, *, act: Act | None = None, check: Check | None = None
    ) -> Grouping | None:
        """Delete the grouping of this id, and give it as it was; None where there is none."""

    async def of_class(self, tenant: str, class_id: str, *, limit: int) -> list[Grouping]:
        """The groupings of a class, the newest first, those of one moment by id."""

    async def forget(self, tenant: str, learner_id: str) -> int:
        """Take a learner out of every grouping; how many groupings that changed."""
