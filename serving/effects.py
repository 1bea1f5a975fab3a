"""What became of what a teacher put in: who did it since, and how it went."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from engine.domain.history import NO_TIME
from engine.domain.interaction import ENGAGED_KINDS, Interaction
from engine.rules.times import FOREVER, window
from engine.rules.words import counted
from serving.desk import Office, sight_of
from serving.kept_rules import rules_of
from serving.rulebook import found
from serving.schemas import MAX_LEARNERS
from serving.schemas_rules import DoneOut, EffectOut
from serving.storage.port import KeptRule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PUTS_IN = ("pin", "assign")
# By learner and resource, the outcomes of what was done.
Done = Mapping[str, Mapping[str, Sequence[float]]]


async def effect_of(rule_id: str, office: Office, *, origin: str) -> EffectOut:
    """How many of those in scope did what it put in since it began, and their mean outcome; raises Unknown."""
    kept = await found(rule_id, office, origin=origin)
    rules = rules_of(kept, office.rules.zone)
    since, until = _span(kept, office)
    sight = await sight_of(rules, office)
    resource_ids = [x for rule in rules if rule.verb in _PUTS_IN for x in rule.what.resources]
    learner_ids = [who.learner_id for who in sight.inside]
    done = await _done(learner_ids, resource_ids, (since, until), office) if resource_ids else {}
    whole = [x for x in learner_ids if resource_ids and all(r in done.get(x, {}) for r in resource_ids)]
    means = [np.mean(all_of) for x in learner_ids if (all_of := [o for os in done.get(x, {}).values() for o in os])]
    mean = float(np.mean(means)) if means else None
    return EffectOut(
        since=since,
        until=until,
        n_learners=len(learner_ids),
        n_done=len(whole),
        mean_outcome=mean,
        resources=[_of_one(r, done) for r in resource_ids],
        words=_words(kept, len(learner_ids), len(whole), mean, bool(resource_ids)),
    )


def _span(kept: KeptRule, office: Office) -> tuple[datetime, datetime]:
    """From when it held until when: it was not seen before it was written, nor after it was ended."""
    begins, ends = window(rules_of(kept, office.rules.zone)[0], office.rules.zone)
    since = kept.created_at if begins == NO_TIME else max(kept.created_at, _EPOCH + timedelta(microseconds=begins))
    until = min(kept.ended_at or office.now, office.now)
    if ends != FOREVER:
        until = min(until, _EPOCH + timedelta(microseconds=ends))
    return since, max(since, until)


async def _done(
    learner_ids: Sequence[str], resource_ids: Sequence[str], span: tuple[datetime, datetime], office: Office
) -> Done:
    found_of: dict[str, dict[str, list[float]]] = {}
    for first in range(0, len(learner_ids), MAX_LEARNERS):
        some = learner_ids[first : first + MAX_LEARNERS]
        for x, context in (await office.store.events.contexts(office.tenant, some)).items():
            found_of[x] = _done_by(context.interactions, set(resource_ids), span)
    return found_of


def _done_by(
    events: Sequence[Interaction], resource_ids: set[str], span: tuple[datetime, datetime]
) -> dict[str, list[float]]:
    voided = {e.voids for e in events if e.kind == "voided"}
    done: dict[str, list[float]] = {}
    for e in events:
        if e.resource_id not in resource_ids or e.kind not in ENGAGED_KINDS or e.event_id in voided:
            continue
        if e.at is not None and span[0] <= e.at <= span[1]:
            outcomes = done.setdefault(e.resource_id or "", [])
            outcomes += [] if e.outcome is None else [e.outcome]
    return done


def _of_one(resource_id: str, done: Done) -> DoneOut:
    own = [of[resource_id] for of in done.values() if resource_id in of]
    means = [np.mean(outcomes) for outcomes in own if outcomes]
    return DoneOut(resource_id, len(own), float(np.mean(means)) if means else None)


def _words(kept: KeptRule, n: int, n_done: int, mean: float | None, puts_in: bool) -> str:
    name = kept.verb.replace("_", " ")
    if not puts_in:
        return f"your {name} puts nothing in that could be done; it speaks to {counted(n, 'learner')}"
    outcome = "no answer was scored yet" if mean is None else f"mean outcome {f'{mean:.2f}'.removeprefix('0')}"
    return f"your {name}: {n_done} of {n} did it, {outcome}"
