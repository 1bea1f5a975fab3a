"""Looks that go together: who asks for a learner at hand while a look is on its way shares the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, field

from serving.storage.port import LearnerContext

Known = Mapping[str, LearnerContext]
# Continues what is known of learners, of one tenant and with one class.
Look = Callable[[str, Known, str | None], Awaitable[dict[str, LearnerContext]]]
_Line = tuple[str, str | None]


@dataclass(slots=True)
class _Gathered:
    """What the next look asks for; `told` is for everybody who asks."""

    known: dict[str, LearnerContext] = field(default_factory=dict)
    told: "asyncio.Future[dict[str, LearnerContext]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class GatheredLooks:
    """One look at a time for each tenant and class: a way to a server and back costs as much for one as for twenty.

    Nobody gets what was looked at before they asked.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._next: dict[_Line, _Gathered] = {}
        self._on_its_way: dict[_Line, asyncio.Task[None]] = {}

    async def contexts(self, tenant: str, known: Known, class_id: str | None) -> dict[str, LearnerContext]:
        """These learners, continued; raises as the look does."""
        line = tenant, class_id
        gathered = self._next.setdefault(line, _Gathered())
        for learner_id, context in known.items():
            other = gathered.known.get(learner_id)
            if other is None or len(other.arrived) < len(context.arrived):
                gathered.known[learner_id] = context
        if line not in self._on_its_way:
            # In a context of its own: it looks for many, and is part of no request.
            self._on_its_way[line] = asyncio.create_task(self._look_for_all(line), context=Context())
        found = await asyncio.shield(gathered.told)
        return {learner_id: found[learner_id] for learner_id in known}

    async def _look_for_all(self, line: _Line) -> None:
        try:
            while (gathered := self._next.pop(line, None)) is not None:
                try:
                    gathered.told.set_result(await self._look(line[0], gathered.known, line[1]))
                except Exception as problem:
                    gathered.told.set_exception(problem)
                    # All who asked may have gone.
                    gathered.told.exception()
        finally:
            del self._on_its_way[line]
