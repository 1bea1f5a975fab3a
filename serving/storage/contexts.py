"""All that is kept of learners, in one statement: one snapshot, one way to the database and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import msgspec

from engine.domain.interaction import Interaction
from engine.domain.learner import Learner, SchoolClass
from serving.storage.glance import Looking
from serving.storage.port import KeptState, LearnerContext
from serving.storage.rows import InteractionRow, interaction_of

# Each learner asked for, with the `seq` from which on their events are wanted; -1 asks for the state as well.
_ASKED = {
    "sqlite": "SELECT value ->> 0 AS learner_id, value ->> 1 AS since FROM json_each(?1)",
    "postgresql": "SELECT a.learner_id, a.since FROM unnest($1::text[], $2::bigint[]) AS a(learner_id, since)",
}
_NAMED = {
    "sqlite": "SELECT n.value FROM told, json_each(told.record, '$.classes') AS n",
    "postgresql": "SELECT json_array_elements_text(told.record::json -> 'classes') FROM told",
}
_TENANT, _CLASS = {"sqlite": "?2", "postgresql": "$3"}, {"sqlite": "?3", "postgresql": "$4"}
_NO_BYTES = {"sqlite": "NULL", "postgresql": "NULL::bytea"}
_EVENT, _STATE, _LEARNER, _CLASS_RECORD, _STAND = range(5)
# Rows are those of the log, with two columns more; what is no event uses the columns of its kind and leaves the rest.
_COLUMNS = InteractionRow.__struct_fields__
_PART, _CONTENT = len(_COLUMNS), len(_COLUMNS) + 1
_LEARNER_ID, _SEQ, _EVENT_ID, _ORDER, _VALUE, _AT = (
    _COLUMNS.index(name) for name in ("learner_id", "seq", "event_id", "order", "value", "at_us")
)
_seq_of = itemgetter(_SEQ)


def _row(part: int, content: str = "NULL", **given: str) -> str:
    return ", ".join([*(given.get(name, "NULL") for name in _COLUMNS), str(part), content])


def _statement(dialect: str) -> str:
    tenant, known = _TENANT[dialect], _class_text(dialect)
    events = ", ".join(f'i."{name}"' for name in _COLUMNS)
    state = _row(_STATE, "s.content", learner_id="s.learner_id", seq="s.seq")
    learner = _row(_LEARNER, learner_id="record_id", value="record")
    a_class = _row(_CLASS_RECORD, learner_id="c.record_id", value="c.record")
    stand = _row(_STAND, seq="seq", order="catalogue_version", at_us="rules_version")
    # CROSS JOIN: SQLite then goes from those asked for to their events, and not the other way round.
    return f"""
        WITH asked AS ({_ASKED[dialect]}),
        told AS (SELECT l.record_id, l.record FROM asked CROSS JOIN learners AS l
                 WHERE l.tenant = {tenant} AND l.record_id = asked.learner_id)
        SELECT {events}, {_EVENT} AS part, {_NO_BYTES[dialect]} AS content FROM asked CROSS JOIN interactions AS i
        WHERE i.tenant = {tenant} AND i.learner_id = asked.learner_id AND i.seq >= asked.since
        UNION ALL SELECT {state} FROM asked CROSS JOIN learner_states AS s
        WHERE s.tenant = {tenant} AND s.learner_id = asked.learner_id AND asked.since < 0
        UNION ALL SELECT {learner} FROM told
        UNION ALL SELECT {a_class} FROM classes AS c
        WHERE c.tenant = {tenant} AND c.record_id IN ({_NAMED[dialect]} UNION SELECT {known})
        UNION ALL SELECT {stand} FROM tenants WHERE tenant = {tenant}
    """  # noqa: S608


def _class_text(dialect: str) -> str:
    return _CLASS[dialect] + ("::text" if dialect == "postgresql" else "")


_STATEMENTS = {dialect: _statement(dialect) for dialect in _ASKED}
_learner_of = msgspec.json.Decoder(Learner).decode
_class_of = msgspec.json.Decoder(SchoolClass).decode
_classes_of = msgspec.json.Decoder(list[SchoolClass]).decode


def look_up(
    connection: Looking, tenant: str, known: Mapping[str, LearnerContext | None], class_id: str | None
) -> dict[str, LearnerContext]:
    """The context of each learner in `known`, which holds what was known of them before, or None.

    Events never change, so what was known is continued from its last event on; where that event does not stand there
    any more, somebody was forgotten or a backup restored, and nothing that was known counts.
    """
    found = _found(connection, tenant, known, class_id)
    lost = [
        x for x, before in known.items() if before and before.arrived and not _still_stands(before, found.events[x])
    ]
    if lost:
        return look_up(connection, tenant, {x: None if x in lost else before for x, before in known.items()}, class_id)
    return {x: _context(x, before, found, class_id) for x, before in known.items()}


# The one row that says whether anything is other than it was: the stand, the last event, the records.
_BRIEF = """
    SELECT t.seq, t.catalogue_version, t.rules_version,
        (SELECT i.seq FROM interactions AS i WHERE i.tenant = ?1 AND i.learner_id = ?2 ORDER BY i.seq DESC LIMIT 1),
        (SELECT i.event_id FROM interactions AS i WHERE i.tenant = ?1 AND i.learner_id = ?2 AND i.seq = ?3),
        (SELECT l.record FROM learners AS l WHERE l.tenant = ?1 AND l.record_id = ?2),
        (SELECT json_group_array(json(c.record)) FROM classes AS c
            WHERE c.tenant = ?1 AND c.record_id IN (SELECT value FROM json_each(?4)))
    FROM tenants AS t WHERE t.tenant = ?1
"""


def look_at_hand(
    connection: Looking, tenant: str, known: Mapping[str, LearnerContext], class_id: str | None
) -> dict[str, LearnerContext]:
    """As `look_up` of learners of whom events are known, by SQLite; quicker for one of whom nothing came."""
    if len(known) == 1:
        [(learner_id, before)] = known.items()
        found = look_briefly(connection, tenant, learner_id, before, class_id)
        if found is not None:
            return {learner_id: found}
    return look_up(connection, tenant, known, class_id)


def look_briefly(
    connection: Looking, tenant: str, learner_id: str, before: LearnerContext, class_id: str | None
) -> LearnerContext | None:
    """The context of a learner at hand, by SQLite, where no event came and their classes are those that they were.

    None where more is to be looked at. What it gives is what `look_up` would give, for half of the work.
    """
    named = {*(before.learner.classes if before.learner else ()), class_id} - {None}
    last = before.arrived[-1]
    asked = (tenant, learner_id, last, msgspec.json.encode(list(named)).decode())
    row = connection.exec_driver_sql(_BRIEF, asked).fetchone()
    if row is None or row[3] != last or row[4] != before.interactions[-1].event_id:
        return None
    learner = _learner_of(row[5]) if row[5] is not None else None
    if (learner.classes if learner else ()) != (before.learner.classes if before.learner else ()):
        return None
    return LearnerContext(
        learner=learner,
        interactions=before.interactions,
        arrived=before.arrived,
        state=before.state,
        classes={c.class_id: c for c in _classes_of(row[6])} if named else {},
        seq=row[0],
        catalogue_version=row[1],
        rules_version=row[2],
    )


@dataclass(slots=True)
class _Found:
    """The rows of one look, sorted out; `events` by learner, in the order they arrived."""

    events: dict[str, list[Sequence[Any]]]
    states: dict[str, KeptState] = field(default_factory=dict)
    learners: dict[str, Learner] = field(default_factory=dict)
    classes: dict[str, SchoolClass] = field(default_factory=dict)
    seq: int = 0
    catalogue_version: int = 0
    rules_version: int = 0


def _found(
    connection: Looking, tenant: str, known: Mapping[str, LearnerContext | None], class_id: str | None
) -> _Found:
    found = _Found({x: [] for x in known})
    for row in _rows(connection, tenant, known, class_id):
        part, x = row[_PART], row[_LEARNER_ID]
        if part == _EVENT:
            found.events[x].append(row)
        elif part == _STATE:
            found.states[x] = KeptState(seq=row[_SEQ], content=row[_CONTENT])
        elif part == _LEARNER:
            found.learners[x] = _learner_of(row[_VALUE])
        elif part == _CLASS_RECORD:
            found.classes[x] = _class_of(row[_VALUE])
        else:
            found.seq, found.catalogue_version, found.rules_version = row[_SEQ], row[_ORDER], row[_AT]
    for events in found.events.values():
        events.sort(key=_seq_of)
    return found


def _rows(
    connection: Looking, tenant: str, known: Mapping[str, LearnerContext | None], class_id: str | None
) -> Sequence[Sequence[Any]]:
    since = {x: before.arrived[-1] if before and before.arrived else -1 for x, before in known.items()}
    if connection.dialect.name == "postgresql":
        given: tuple[Any, ...] = (list(since), list(since.values()), tenant, class_id)
    else:
        given = (msgspec.json.encode(list(since.items())).decode(), tenant, class_id)
    rows: Sequence[Sequence[Any]] = connection.exec_driver_sql(_STATEMENTS[connection.dialect.name], given).fetchall()
    return rows


def _still_stands(before: LearnerContext, events: Sequence[Sequence[Any]]) -> bool:
    """Whether the last event known is the first one found."""
    last = (before.arrived[-1], before.interactions[-1].event_id)
    return bool(events) and (events[0][_SEQ], events[0][_EVENT_ID]) == last


def _context(learner_id: str, before: LearnerContext | None, found: _Found, class_id: str | None) -> LearnerContext:
    events, state = found.events[learner_id], found.states.get(learner_id)
    interactions: Sequence[Interaction]
    arrived: Sequence[int]
    if before is not None and before.arrived:
        interactions, arrived, state = before.interactions, before.arrived, before.state
        # Where nothing came, the very same list says so to whoever made something of it.
        if len(events) > 1:
            interactions = [*interactions, *(interaction_of(e) for e in events[1:])]
            arrived = [*arrived, *(e[_SEQ] for e in events[1:])]
    else:
        interactions, arrived = [interaction_of(e) for e in events], [e[_SEQ] for e in events]
    learner = found.learners.get(learner_id)
    named = {*(learner.classes if learner else ()), class_id}
    return LearnerContext(
        learner=learner,
        interactions=interactions,
        arrived=arrived,
        state=state,
        classes={c: record for c, record in found.classes.items() if c in named},
        seq=found.seq,
        catalogue_version=found.catalogue_version,
        rules_version=found.rules_version,
    )
