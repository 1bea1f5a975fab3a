"""Pages of rules and overrides, by id."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from serving.desk import Office
from serving.errors import WrongShape
from serving.storage.port import KeptRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which of them: of one class or learner, of one verb (or kind), in force now or not; None where all."""

    origin: str
    class_id: str | None = None
    learner_id: str | None = None
    verb: str | None = None
    in_force: bool | None = None
    cursor: str | None = None
    limit: int = 50


async def page_of(
    wanted: Wanted, office: Office, is_in_force: Callable[[KeptRule], bool]
) -> tuple[list[KeptRule], str | None]:
    """One page and the cursor of the next, None where there is none; raises WrongShape."""
    if wanted.class_id is not None and wanted.learner_id is not None:
        raise WrongShape("a rule has one scope; ask for class_id or learner_id, one of the two")
    scope = None
    if wanted.class_id is not None or wanted.learner_id is not None:
        scope = (
            ("class_id", wanted.class_id) if wanted.class_id is not None else ("learner_id", wanted.learner_id or "")
        )
    found: list[KeptRule] = []
    after = _after(wanted.cursor)
    while len(found) <= wanted.limit:
        some = await office.store.rules.page(
            office.tenant, origin=wanted.origin, after=after, limit=wanted.limit + 1, scope=scope, verb=wanted.verb
        )
        found += [one for one in some if wanted.in_force is None or is_in_force(one) == wanted.in_force]
        if len(some) <= wanted.limit:
            break
        after = some[-1].rule_id
    more = len(found) > wanted.limit
    page = found[: wanted.limit]
    return page, _cursor(page[-1].rule_id) if more else None


def _cursor(rule_id: str) -> str:
    return base64.urlsafe_b64encode(rule_id.encode()).decode().rstrip("=")


def _after(cursor: str | None) -> str:
    if cursor is None:
        return ""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise WrongShape("cursor is not one that was given here; hand it on unchanged or leave it out") from None
