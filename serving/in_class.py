"""Which class a learner is looked at in, and whether there is such a class."""

from collections.abc import Iterable
from datetime import datetime

from engine.domain.errors import BadInput, Unknown
from engine.domain.history import microseconds
from engine.domain.query import current_class
from serving.storage.port import LearnerContext, Store


def class_of(context: LearnerContext, asked: str | None, now: datetime) -> str | None:
    """The class a learner is looked at in: the one asked for, else their current one.

    Raises:
        BadInput: they are known, and not in the class that is asked for.
    """
    record = context.learner
    if asked is None:
        theirs = current_class(record.classes if record else (), context.classes, now)
        return theirs or _last_class(context)
    if record is not None and asked not in record.classes and all(e.class_id != asked for e in context.interactions):
        raise BadInput("the learner is not in this class; check class_id, or leave it out for their own class")
    return asked


async def require_class(tenant: str, class_id: str, members: Iterable[str], store: Store) -> None:
    """Raise Unknown where nobody told of this class and nobody is in it."""
    if not any(True for _ in members) and all(c.class_id != class_id for c in await store.people.classes(tenant)):
        raise Unknown("nobody told of this class and no event names it; check class_id")


def _last_class(context: LearnerContext) -> str | None:
    named = [e for e in context.interactions if e.class_id is not None]
    return max(named, key=lambda e: (microseconds(e.at), e.event_id)).class_id if named else None
