"""Saving, ending and undoing rules: every change of a rule or an override goes through here."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.domain.errors import BadInput, Unknown
from engine.domain.rule import Rule
from engine.rules.problems import Problem
from serving.desk import Office, Sight, everybody, problems_of, sight_of
from serving.errors import Conflict, MatchNeeded, ProblemWithRule, RulesConflict, Stale, UnknownName
from serving.kept_rules import OVERRIDE, rules_of
from serving.learner_workflows import goal_set, planned
from serving.storage.acts import Act
from serving.storage.port import KeptRule

# Others may change rules between our look and our word; so often it is tried again.
_TRIES = 8
NO_PATH = (
    "No path is known of {n} of {all} learners, who set no goal: they are shown only what is pinned or assigned. Name "
    "resources or skills in the rule, or let them set a goal first."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be kept: its JSON object, and the rules it comes to, all of one scope."""

    rule_id: str
    origin: str
    verb: str
    record: str
    rules: tuple[Rule, ...]
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What the caller says of the version they saw: `If-Match` and `If-None-Match`, None where they say nothing."""

    if_match: str | None = None
    if_none_match: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What is kept now, what to know of it, and what stood before it; `sight` is what it was seen against."""

    kept: KeptRule
    warnings: tuple[ProblemWithRule, ...] = ()
    before: KeptRule | None = None
    sight: Sight | None = None


async def create(draft: Draft, office: Office) -> Saved:
    """Keep a new rule; raises Conflict where its id is taken, and as `put`."""
    return await _saved(draft, office, match=Match(if_none_match="*"), taken=Conflict(_taken(draft)))


async def put(draft: Draft, office: Office, *, match: Match) -> Saved:
    """Keep a new rule, or a new version of one; one that was ended is in force again.

    Raises:
        MatchNeeded: it stands already, and the caller does not say which version they saw.
        Stale: they saw another version.
        RulesConflict: it cannot be kept beside the others.
        UnknownName: nothing that it names exists.
        BadInput: it is over already.
    """
    return await _saved(draft, office, match=match, taken=None)


async def end(rule_id: str, office: Office, *, origin: str, match: Match) -> Saved:
    """End it now; its history stays. What was ended already is as it was."""
    for _ in range(_TRIES):
        seen = (await office.store.rules.standing(office.tenant)).version
        before = await found(rule_id, office, origin=origin)
        _require_match(match, before, is_put=False)
        if before.ended_at is not None:
            return Saved(kept=before, before=before)
        kept = replace(_next(before, office, "ended"), ended_at=office.now)
        if await office.store.rules.put(office.tenant, kept, seen=seen, act=_act(kept, office)):
            return Saved(kept=kept, before=before)
    raise _busy()


async def undo(rule_id: str, office: Office, *, origin: str, match: Match) -> Saved:
    """Take back the last change: the version before is in force again, and what was just made is ended.

    Raises as `put`: what is brought back must still go with the others. Undone twice, all is as it was before.
    """
    for _ in range(_TRIES):
        before = await found(rule_id, office, origin=origin)
        _require_match(match, before, is_put=False)
        versions = await office.store.rules.versions(office.tenant, rule_id)
        kept = _taken_back(before, versions, office)
        warnings: tuple[ProblemWithRule, ...] = ()
        sight = None
        if kept.ended_at is not None:
            seen = (await office.store.rules.standing(office.tenant)).version
        else:
            drafts = rules_of(kept, office.rules.zone)
            sight = await sight_of(drafts, office)
            warnings = _refused_or_warned(await problems_of(drafts, sight, office))
            seen = sight.in_force.version
        if await office.store.rules.put(office.tenant, kept, seen=seen, act=_act(kept, office)):
            return Saved(kept=kept, warnings=warnings, before=before, sight=sight)
    raise _busy()


async def found(rule_id: str, office: Office, *, origin: str) -> KeptRule:
    """The last version of one of them; raises Unknown."""
    kept = await office.store.rules.find(office.tenant, rule_id)
    if kept is None or kept.origin != origin:
        what = "override" if origin == OVERRIDE else "rule"
        raise Unknown(f"there is no {what} of this id; look through them with GET /v1/{what}s")
    return kept


def etag(kept: KeptRule) -> str:
    """The tag of this version."""
    return f'"{kept.version}"'


async def _saved(draft: Draft, office: Office, *, match: Match, taken: Conflict | None) -> Saved:
    for _ in range(_TRIES):
        sight = await sight_of(draft.rules, office)
        before = await office.store.rules.find(office.tenant, draft.rule_id)
        if taken is not None and before is not None:
            raise taken
        if before is not None and before.origin != draft.origin:
            raise Conflict(_taken(draft))
        _require_match(match, before, is_put=True)
        warnings = _refused_or_warned(await problems_of(draft.rules, sight, office))
        kept = _kept(draft, before, office)
        frozen, told = await frozen_by(draft, before, sight, office)
        seen, act = sight.in_force.version, _act(kept, office)
        if await office.store.rules.put(office.tenant, kept, seen=seen, frozen=frozen, act=act):
            return Saved(kept=kept, warnings=(*warnings, *told), before=before, sight=sight)
    raise _busy()


def _act(kept: KeptRule, office: Office) -> Act:
    """Who keeps this version, as the audit is told: the key, the name that was given, and the rule's own reason."""
    return Act(at=office.now, actor=office.author, author=kept.author, reason=json.loads(kept.record).get("reason"))


def _kept(draft: Draft, before: KeptRule | None, office: Office) -> KeptRule:
    return KeptRule(
        rule_id=draft.rule_id,
        origin=draft.origin,
        verb=draft.verb,
        scope=draft.rules[0].scope.key,
        version=before.version + 1 if before else 1,
        record=draft.record,
        created_at=before.created_at if before else office.now,
        at=office.now,
        action="changed" if before else "created",
        author=draft.author,
    )


def _next(before: KeptRule, office: Office, action: str) -> KeptRule:
    return replace(before, version=before.version + 1, at=office.now, action=action, author=office.author)


def _taken_back(before: KeptRule, versions: Sequence[KeptRule], office: Office) -> KeptRule:
    """The version after this one, which says what the one before it said."""
    undone = _next(before, office, "undone")
    if before.version == 1:
        return replace(undone, ended_at=office.now)
    earlier = versions[-2]
    scope, verb = _of_record(earlier)
    return replace(undone, record=earlier.record, ended_at=earlier.ended_at, scope=scope, verb=verb)


def _of_record(kept: KeptRule) -> tuple[tuple[str, str], str]:
    """Scope and verb (or kind) of a record: versions of one rule may differ in both."""
    plain = json.loads(kept.record)
    named = [(kind, str(name)) for kind, name in (plain.get("scope") or {}).items()]
    return (named[0] if named else ("tenant", "")), str(plain.get("verb") or plain.get("kind"))


def _require_match(match: Match, before: KeptRule | None, *, is_put: bool) -> None:
    if before is None:
        if match.if_match is not None:
            raise Stale("nothing stands under this id, so no version of it was seen; leave If-Match out to make it")
        return
    if match.if_none_match is not None:
        raise Stale("something stands under this id already; read it, and send its ETag in If-Match to change it")
    if match.if_match is None:
        if is_put:
            raise MatchNeeded("this stands already; read it, and send its ETag in If-Match to change it")
        return
    tags = [tag.strip().removeprefix("W/") for tag in match.if_match.split(",")]
    if "*" not in tags and etag(before) not in tags:
        raise Stale("somebody changed this since you read it; read it again, and send its new ETag in If-Match")


def _refused_or_warned(problems: Sequence[Problem]) -> tuple[ProblemWithRule, ...]:
    """The warnings; raises where something refuses, with the smallest set of rules first."""
    told = told_of(problems)
    refusals = [p for p in problems if p.refuses]
    if not refusals:
        return told
    worst = min(refusals, key=lambda p: (len(p.rule_ids), p.rule_ids))
    if worst.kind == "unknown":
        raise UnknownName(worst.words)
    if worst.kind == "over":
        raise BadInput(worst.words)
    raise RulesConflict(worst.words, conflict=worst.rule_ids, problems=told)


def told_of(problems: Sequence[Problem]) -> tuple[ProblemWithRule, ...]:
    """Problems as they are told."""
    return tuple(ProblemWithRule(kind=p.kind, rule_ids=p.rule_ids, words=p.words) for p in problems)


async def frozen_by(
    draft: Draft, before: KeptRule | None, sight: Sight, office: Office
) -> tuple[Mapping[str, tuple[str, ...]] | None, tuple[ProblemWithRule, ...]]:
    """The paths of those in scope, where the draft freezes them; a path that stands frozen stays as it was."""
    if not any(_freezes(rule) for rule in draft.rules):
        return None, ()
    still = before is not None and before.ended_at is None and any(map(_freezes, rules_of(before, office.rules.zone)))
    kept = {x: tuple(sorted(path)) for x, path in sight.in_force.frozen.get(draft.rule_id, {}).items()} if still else {}
    async for one in everybody(sight, office):
        path = None if one.learner_id in kept else await asyncio.to_thread(planned, one, goal_set(one), now=office.now)
        if path is not None:
            kept[one.learner_id] = tuple(dict.fromkeys(r for step in path.steps for r in step.resources))
    n = sum(who.learner_id not in kept for who in sight.inside)
    words = NO_PATH.format(n=n, all=len(sight.inside))
    return kept, (ProblemWithRule("no_path", (draft.rule_id,), words),) if n else ()


def _freezes(rule: Rule) -> bool:
    return rule.verb == "freeze_path" and not rule.what.of_content


def _taken(draft: Draft) -> str:
    return f"something stands under the id {draft.rule_id} already; change it with PUT and If-Match, or take another id"


def _busy() -> Conflict:
    return Conflict("others are changing rules at this very moment; send it again")
