"""A teacher's one-off changes: kept as rules of their own, told to the log as what the teacher preferred."""

import hashlib
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from engine.domain.errors import BadInput, Unavailable
from engine.domain.interaction import Interaction
from engine.rules.language import Plain
from serving.current_rules import InForce
from serving.desk import Office, sight_of
from serving.errors import ProblemWithRule
from serving.kept_rules import OVERRIDE, rules_of
from serving.overriding import KINDS, PREFIX, compiled
from serving.rulebook import Draft, Match, Saved, create, end, put, undo
from serving.schemas import MAX_EVENTS, Id
from serving.schemas_rules import OverrideIn, OverrideOut
from serving.storage.port import KeptRule
from serving.unknown import meant_of
from serving.wire_rules import is_in_force, says

UNLABELLED = "It holds, but the log was not told what you preferred: the store went away. Nothing else is missing."


async def override(given: OverrideIn, office: Office) -> Saved:
    """Keep a new override, in force on the next answer; raises as `rulebook.put`."""
    saved = await create(_draft(given, office, PREFIX + uuid.uuid4().hex[:12]), office)
    return await _labelled(saved, office)


async def change(override_id: str, given: OverrideIn, office: Office, *, match: Match) -> Saved:
    """Keep a new version of an override; raises as `rulebook.put`, and BadInput where there is none."""
    if not override_id.startswith(PREFIX):
        raise BadInput("overrides get their ids here; make one with POST /v1/overrides, and change it at its address")
    saved = await put(_draft(given, office, override_id), office, match=match)
    return await _labelled(saved, office)


async def end_override(override_id: str, office: Office, *, match: Match) -> Saved:
    """End it now. What the teacher preferred until now was preferred, so the log keeps it."""
    return await end(override_id, office, origin=OVERRIDE, match=match)


async def undo_override(override_id: str, office: Office, *, match: Match) -> Saved:
    """Take back its last change: what the log was told of that is void, as if it had not been said."""
    saved = await undo(override_id, office, origin=OVERRIDE, match=match)
    if saved.before is not None and saved.before.ended_at is None:
        await _voided(saved.before, office)
    return await _labelled(saved, office) if saved.kept.ended_at is None else saved


def override_out(
    kept: KeptRule, in_force: InForce, *, now: datetime, warnings: tuple[ProblemWithRule, ...] = ()
) -> OverrideOut:
    """One version of an override as it is told."""
    plain: dict[str, Any] = json.loads(kept.record)
    rules = rules_of(kept, in_force.zone)
    return OverrideOut(
        override_id=kept.rule_id,
        kind=plain["kind"],
        version=kept.version,
        scope=plain["scope"],
        resource_ids=tuple(plain["resource_ids"]),
        skills=tuple(plain["skills"]),
        instead_of=plain["instead_of"],
        due=plain["due"],
        value=plain["value"],
        starts=plain["from"],
        until=plain["until"],
        reason=plain["reason"],
        author=kept.author,
        created_at=kept.created_at,
        updated_at=kept.at,
        action=kept.action,
        ended_at=kept.ended_at,
        in_force=is_in_force(kept, rules, in_force, now),
        says=says(rules, in_force),
        rule_ids=tuple(rule.rule_id for rule in rules),
        warnings=warnings,
    )


def _draft(given: OverrideIn, office: Office, override_id: str) -> Draft:
    """The override as it is kept; raises BadInput with every mistake in it."""
    if given.kind not in KINDS:
        raise BadInput(f"{meant_of('kind', given.kind, KINDS)}; an override is one of {', '.join(KINDS)}")
    one = () if given.resource_id is None else (given.resource_id,)
    plain: Plain = {
        "id": override_id,
        "kind": given.kind,
        "scope": {kind: str(name) for kind, name in given.scope.items()},
        "resource_ids": _texts((*given.resource_ids, *one)),
        "skills": _texts(given.skills),
        "instead_of": None if given.instead_of is None else str(given.instead_of),
        "due": given.due,
        "value": given.value,
        "from": given.starts,
        "until": given.until,
        "reason": given.reason,
    }
    rules = compiled(plain, zone=office.rules.zone)
    author = given.author or office.author
    if len(author) > 512:
        raise BadInput("author is a text of at most 512 characters; shorten it or leave it out")
    return Draft(
        rule_id=override_id, origin=OVERRIDE, verb=given.kind, record=json.dumps(plain), rules=rules, author=author
    )


def _texts(ids: Sequence[Id]) -> list[str]:
    return list(dict.fromkeys(map(str, ids)))


async def _labelled(saved: Saved, office: Office) -> Saved:
    """Tell the log of each learner in scope; where the store went away meanwhile, say so."""
    if saved.sight is None:
        return saved
    learner_ids = [who.learner_id for who in saved.sight.inside]
    try:
        await _told(list(_labels(saved.kept, learner_ids)), office)
    except Unavailable:
        warning = ProblemWithRule("unlabelled", (saved.kept.rule_id,), UNLABELLED)
        return Saved(kept=saved.kept, warnings=(*saved.warnings, warning), before=saved.before, sight=saved.sight)
    return saved


async def _voided(before: KeptRule, office: Office) -> None:
    """What a version told the log is void for all in its scope now."""
    sight = await sight_of(rules_of(before, office.rules.zone), office)
    labels = _labels(before, [who.learner_id for who in sight.inside])
    voids = [
        Interaction(
            event_id=hashlib.sha256(f"voids {label.event_id}".encode()).hexdigest()[:32],
            learner_id=label.learner_id, kind="voided", source="teacher", at=office.now, voids=label.event_id,
        )
        for label in labels
    ]  # fmt: skip
    with suppress(Unavailable):
        await _told(voids, office)


async def _told(events: Sequence[Interaction], office: Office) -> None:
    for first in range(0, len(events), MAX_EVENTS):
        await office.store.events.append(office.tenant, events[first : first + MAX_EVENTS], stamp=office.now)


def _labels(kept: KeptRule, learner_ids: Sequence[str]) -> Iterator[Interaction]:
    """What a teacher preferred for each learner, one event for each resource: a label to train by, and no evidence.

    Their ids come from what they say, so telling them twice tells them once.
    """
    plain: dict[str, Any] = json.loads(kept.record)
    told = {name: plain[name] for name in ("kind", "instead_of", "due", "value", "reason") if plain[name] is not None}
    value = {"override_id": kept.rule_id, "version": kept.version, "author": kept.author, **told}
    for learner_id in learner_ids:
        for resource_id in plain["resource_ids"] or [None]:
            said = json.dumps([kept.rule_id, kept.version, learner_id, resource_id])
            yield Interaction(
                event_id=hashlib.sha256(said.encode()).hexdigest()[:32],
                learner_id=learner_id,
                kind=KINDS[plain["kind"]].logged,
                source="teacher",
                resource_id=resource_id,
                at=kept.at,
                skills=tuple(plain["skills"]) or None,
                class_id=plain["scope"].get("class_id"),
                value=json.dumps(value, ensure_ascii=True),
            )
