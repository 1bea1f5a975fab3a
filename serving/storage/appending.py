"""Batches of events into the log: each event once, numbers without gaps, the same whoever sends what again."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from serving.storage.glance import Looking
from serving.storage.inserting import insert_events, insert_numbered, next_seq
from serving.storage.port import Appended
from serving.storage.rows import InteractionRow

OTHER_CONTENT = "event_id was used before for an event with other content; give each event its own id"
_READ_BACK = 500
_TAKE_BACK_FROM = "DELETE FROM interactions WHERE tenant = {} AND seq >= {}"
_TAKE_BACK = {"sqlite": _TAKE_BACK_FROM.format("?", "?"), "postgresql": _TAKE_BACK_FROM.format("$1", "$2")}
_STAND = "UPDATE tenants SET seq = {1} WHERE tenant = {0}"
_STAND_AT = {"sqlite": _STAND.format("?1", "?2"), "postgresql": _STAND.format("$1", "$2")}
# The concatenation keeps SQLite from walking the whole tenant by its primary key.
_STANDING = {
    "sqlite": "SELECT event_id, content_hash, at_us FROM interactions "
    "WHERE event_id IN (SELECT value FROM json_each(?2)) AND tenant || '' = ?1",
    "postgresql": "SELECT event_id, content_hash, at_us FROM interactions "
    "WHERE event_id = ANY($2::text[]) AND tenant || '' = $1",
}


class Batch(msgspec.Struct, frozen=True):
    """The rows of one batch, not numbered yet; `timeless` are the places of events that came without a time."""

    tenant: str
    rows: Sequence[InteractionRow]
    timeless: frozenset[int]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What stands under an event id: its content and time, and whether it came in just now."""

    content_hash: int
    at_us: int | None
    is_new: bool


def append_all(connection: Looking, batches: Sequence[Batch]) -> list[Appended]:
    """Write batches as if one had come after the other; tenants in one order, so that nobody waits in a ring."""
    answers: dict[int, Appended] = {}
    for tenant in sorted({batch.tenant for batch in batches}):
        places = [i for i, batch in enumerate(batches) if batch.tenant == tenant]
        answers.update(zip(places, _appended(connection, tenant, [batches[i] for i in places]), strict=True))
    return [answers[i] for i in range(len(batches))]


def _appended(connection: Looking, tenant: str, batches: Sequence[Batch]) -> list[Appended]:
    dialect, first = connection.dialect.name, dict[str, InteractionRow]()
    for batch in batches:
        for row in batch.rows:
            first.setdefault(row.event_id, row)
    if not first:
        last = next_seq(connection, tenant, 0)
        return [_judged(batch, {}, last) for batch in batches]
    last, n_new = insert_numbered(connection, tenant, list(first.values()))
    begin = last - len(first) + 1
    kept: dict[str, _Kept] = {}
    if n_new != len(first):
        # Some stood there: take the others back, so that they are numbered as if those had never been sent again.
        connection.exec_driver_sql(_TAKE_BACK[dialect], (tenant, begin))
        kept = _standing(connection, tenant, list(first))
        new = [row for event_id, row in first.items() if event_id not in kept]
        last = begin - 1 + len(new)
        connection.exec_driver_sql(_STAND_AT[dialect], (tenant, last))
        insert_events(connection, new, begin)
    elif len(first) == sum(map(len, batches)):
        # Nothing of it was ever told before, which is so nearly always: there is nothing to judge.
        return [Appended(accepted=len(batch), duplicates=0, rejected=(), seq=last) for batch in batches]
    kept |= {x: _Kept(row.content_hash, row.at_us, is_new=True) for x, row in first.items() if x not in kept}
    return [_judged(batch, kept, last) for batch in batches]


def _standing(connection: Looking, tenant: str, event_ids: list[str]) -> dict[str, _Kept]:
    """What stands under these ids."""
    kept = {}
    dialect = connection.dialect.name
    for start in range(0, len(event_ids), _READ_BACK):
        some = event_ids[start : start + _READ_BACK]
        given = (tenant, some if dialect == "postgresql" else msgspec.json.encode(some).decode())
        found = connection.exec_driver_sql(_STANDING[dialect], given).fetchall()
        kept.update({event_id: _Kept(told, at_us, is_new=False) for event_id, told, at_us in found})
    return kept


def _judged(batch: Batch, kept: dict[str, _Kept], last: int) -> Appended:
    """What became of a batch; an id that is new is accepted once, and seen again from then on."""
    accepted, duplicates, other = 0, 0, []
    for place, row in enumerate(batch.rows):
        stands = kept[row.event_id]
        if stands.is_new:
            accepted += 1
            kept[row.event_id] = _Kept(stands.content_hash, stands.at_us, is_new=False)
        elif stands.content_hash == row.content_hash and (place in batch.timeless or stands.at_us == row.at_us):
            duplicates += 1
        else:
            other.append((place, OTHER_CONTENT))
    return Appended(accepted=accepted, duplicates=duplicates, rejected=tuple(other), seq=last)
