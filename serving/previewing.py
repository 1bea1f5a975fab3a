"""What a draft of a rule would change for each learner of its scope, before it is saved."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from engine.domain.decision import Request
from engine.domain.history import microseconds
from engine.domain.rule import Rule
from engine.recommender import foreseen
from engine.rules.compiled import book_of
from engine.rules.preview import Change, Slate, changed
from engine.rules.times import window
from engine.rules.verbs import VERBS
from engine.rules.words import counted
from serving.approving import Permits, barred_for, class_in_question
from serving.current_rules import InForce
from serving.desk import Office, Sight, problems_of, sight_of
from serving.known_learner import KnownLearner
from serving.rulebook import Draft, frozen_by, told_of
from serving.schemas_rules import ChangeOut, MoveOut, PreviewOut

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def preview(draft: Draft, office: Office, *, k: int) -> PreviewOut:
    """The slates of those in its scope with and without the draft, now or when it begins."""
    sight = await sight_of(draft.rules, office)
    problems = await problems_of(draft.rules, sight, office)
    at = _moment(draft.rules[0], office, sight)
    after = await _with(draft, sight, office)
    changes: list[Change] = []
    if any(not VERBS[rule.verb].people for rule in draft.rules):
        permits = await _permits(sight, office, at)
        changes = await asyncio.to_thread(_changes, sight, after, permits, at, k)
    return PreviewOut(
        at=at,
        summary=_summary(changes, sight, draft),
        refused=any(p.refuses for p in problems),
        problems=told_of(problems),
        n_learners=len(sight.inside),
        n_looked_at=len(changes),
        n_changed=sum(c.is_any for c in changes),
        n_few=sum(c.few for c in changes),
        changes=[_change_out(c) for c in changes],
        titles=_titles(changes, sight),
    )


def _titles(changes: Sequence[Change], sight: Sight) -> dict[str, str]:
    """The titles of all that changes, by id: what comes was perhaps never shown to whoever reads this."""
    catalogue = sight.in_force.recommender.catalogue
    named = {x for c in changes for x in (*c.leaves, *c.enters, *(move[0] for move in c.moves))}
    rows = {x: catalogue.resource_map.row(x) for x in sorted(named)}
    return {x: found.title for x, row in rows.items() if row >= 0 and (found := catalogue.resources[row]) is not None}


def _moment(rule: Rule, office: Office, sight: Sight) -> datetime:
    begins = window(rule, sight.in_force.zone)[0]
    return office.now if begins <= microseconds(office.now) else _EPOCH + timedelta(microseconds=begins)


async def _with(draft: Draft, sight: Sight, office: Office) -> InForce:
    """The rules as they would be with the draft, over the same catalogue."""
    before = sight.in_force
    rules = (*sight.others(r.rule_id for r in draft.rules), *draft.rules)
    kept = await office.store.rules.find(office.tenant, draft.rule_id)
    paths = (await frozen_by(draft, kept, sight, office))[0]
    frozen = dict(before.frozen)
    if paths is not None:
        frozen[draft.rule_id] = {x: frozenset(path) for x, path in paths.items()}
    return replace(before, rules=rules, book=book_of(rules, before.book.contents, zone=before.zone), frozen=frozen)


async def _permits(sight: Sight, office: Office, at: datetime) -> Permits:
    """What those in scope may have without the teacher's word: what waits is shown on neither side."""
    in_force = sight.in_force
    asked_in = {one.learner_id: class_in_question(None, one.context, at) for one in sight.known}
    return await office.approvals.permits(office.tenant, in_force.version, asked_in, in_force.recommender)


def _changes(sight: Sight, after: InForce, permits: Permits, at: datetime, k: int) -> list[Change]:
    return [_change(one, (sight.in_force, after), permits, at, k) for one in sight.known]


def _change(known: KnownLearner, ways: tuple[InForce, InForce], permits: Permits, at: datetime, k: int) -> Change:
    """Candidates are looked at once, and the last stage has its word twice; only where the draft decides what is a
    jump, they are looked at twice.
    """
    query = known.query(now=at, class_id=None)
    sides = [in_force.over(known, query, class_id=None) for in_force in ways]
    plans = [None if side is None else side.plan for side in sides]
    barred = [tuple(barred_for(known, query, plan, permits)) for plan in plans]

    def seen(exclude: tuple[str, ...]) -> list[Slate]:
        return foreseen(
            Request(learner_id=known.learner_id, k=k, exclude=exclude),
            query,
            known.recommender,
            sides=sides,
            state=known.state,
            spoken=known.spoken,
            preferences=known.preferences if known.state is None else None,
        )

    before, after = seen(barred[0])
    if barred[1] != barred[0]:
        after = seen(barred[1])[1]
    return changed(known.learner_id, before, after)


def _summary(changes: Sequence[Change], sight: Sight, draft: Draft) -> str:
    n = len(sight.inside)
    if all(VERBS[rule.verb].people for rule in draft.rules):
        return f"It speaks of who works with whom, for {counted(n, 'learner')}: what is shown to them stays as it is."
    if not n:
        return "Nobody is in its scope now, so nothing changes yet."
    looked = "" if n == len(changes) else f" (of {n}, the first {len(changes)} were looked at)"
    n_changed = sum(c.is_any for c in changes)
    if not n_changed:
        return f"Nothing changes for {counted(len(changes), 'learner')}{looked}."
    told = {
        "something new": sum(bool(c.enters) for c in changes),
        "something no longer": sum(bool(c.leaves) for c in changes),
        "fewer than three options left": sum(c.few for c in changes),
    }
    counts = "".join(f"; {what}: {n}" for what, n in told.items() if n)
    return f"{n_changed} of {counted(len(changes), 'learner')} would see something else{looked}{counts}."


def _change_out(change: Change) -> ChangeOut:
    return ChangeOut(
        learner_id=change.learner_id,
        leaves=change.leaves,
        enters=change.enters,
        moves=tuple(MoveOut(*move) for move in change.moves),
        n_before=change.n_before,
        n_after=change.n_after,
        few=change.few,
        conflict=change.conflict,
        message=change.message,
    )
