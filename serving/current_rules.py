"""The rules that are in force, compiled once per change of rules or catalogue, and what each learner is under."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from engine.domain.errors import Unavailable
from engine.domain.query import Query
from engine.domain.rule import Rule
from engine.last_stage import Rules
from engine.recommender import Recommender
from engine.rules.compiled import RuleBook, book_of
from engine.rules.matching import contents_of
from engine.rules.plan import Plan
from engine.rules.spent import spent
from serving.in_group import KeptGroups, kept_groups_from, who_of
from serving.kept_rules import rules_kept
from serving.known_learner import KnownLearner
from serving.ladder import NOBODY
from serving.storage.port import RuleStore, Standing
from serving.strangers import book_for_strangers, stranger, unknown_scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """One tenant's rules at one version, compiled over one catalogue; `rules` are all of them, about people too.

    `frozen`: by rule and learner, the resources on the path when the rule froze it. `groups`: who is in which group
    that a teacher kept. `closed`: the books for strangers, by what is not known of them.
    """

    version: int
    recommender: Recommender
    rules: tuple[Rule, ...]
    book: RuleBook
    frozen: Mapping[str, Mapping[str, frozenset[str]]]
    zone: ZoneInfo
    groups: KeptGroups
    closed: dict[tuple[str, ...], RuleBook] = field(default_factory=dict)

    def over(self, known: KnownLearner, query: Query, *, class_id: str | None) -> Rules | None:
        """What the last stage needs of this learner; None where they are under no rule. `class_id` is the one asked."""
        if not self.book.rules:
            return None
        book = self.book
        if known.context is NOBODY:
            book = self._for_strangers(unknown_scopes(class_id))
            who = stranger(known.learner_id, book, class_id=class_id)
        else:
            seats = known.made.seats
            who = who_of(
                known.learner_id, known.context, self.groups, now_us=query.now_us, class_id=class_id, seats=seats
            )
        plan = book.plan(who, query.now_us)
        if not plan.rules:
            return None
        today, week = self._spent(plan, known, query) if plan.limits else (0.0, 0.0)
        return Rules(
            book=book,
            who=who,
            plan=plan,
            spent_today=today,
            spent_this_week=week,
            frozen=self._frozen(plan, known.learner_id),
        )

    def _for_strangers(self, unknown: tuple[str, ...]) -> RuleBook:
        """Made by the first stranger who comes."""
        book = self.closed.get(unknown)
        if book is None:
            book = self.closed[unknown] = book_for_strangers(self.rules, self.book, unknown=unknown)
        return book

    def _spent(self, plan: Plan, known: KnownLearner, query: Query) -> tuple[float, float]:
        """Minutes of the week, by what was told and else by what is usual."""
        contents = plan.contents

        def usual(resource_id: str) -> float | None:
            row = contents.resource_map.row(resource_id)
            resource = contents.resources[row] if row >= 0 else None
            return resource.minutes if resource is not None else None

        return spent(known.context.interactions, usual, now_us=query.now_us, zone=self.zone)

    def _frozen(self, plan: Plan, learner_id: str) -> frozenset[str] | None:
        """What stood on the path when it was frozen, by all rules that froze it; None where no path was known."""
        if not self.frozen:
            return None
        freezing = [r.rule_id for r in plan.rules if r.verb == "freeze_path" and not r.what.of_content]
        paths = [own[learner_id] for x in freezing if learner_id in (own := self.frozen.get(x, {}))]
        return frozenset.intersection(*paths) if paths else None


class CurrentRules:
    """The rules of each tenant, compiled over its catalogue; they follow the version that each request has read."""

    def __init__(self, rules: RuleStore, zone: ZoneInfo) -> None:
        self.zone = zone
        self._rules = rules
        self._made: dict[str, InForce] = {}
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def in_force(self, tenant: str, version: int, recommender: Recommender) -> InForce:
        """The rules at this version or a later one, over this catalogue; compiled by whoever asks first.

        While the store is away the rules that were last known hold. Raises Unavailable where it is away and none were
        ever known here: nothing leaves without the rules.
        """
        made = self._made.get(tenant)
        if made is not None and made.version >= version and made.recommender is recommender:
            return made
        async with self._making[tenant]:
            made = self._made.get(tenant)
            if made is None or made.version < version or made.recommender is not recommender:
                standing = await self._standing(tenant, version, made)
                made = await asyncio.to_thread(in_force_of, standing, recommender, made, self.zone)
                self._made[tenant] = made
            return made

    async def _standing(self, tenant: str, version: int, made: InForce | None) -> Standing | None:
        """What the store holds; None where what is known already is as new, or nothing newer can be had."""
        if made is not None and made.version >= version:
            return None
        try:
            return await self._rules.standing(tenant)
        except Unavailable:
            if made is None:
                raise
            return None


def in_force_of(standing: Standing | None, recommender: Recommender, before: InForce | None, zone: ZoneInfo) -> InForce:
    """Rules compiled over a catalogue; without a new `standing` they are those from `before`."""
    same = before is not None and before.recommender is recommender
    contents = before.book.contents if before is not None and same else contents_of(recommender.catalogue)
    if standing is None:
        assert before is not None
        version, rules, frozen, groups = before.version, before.rules, before.frozen, before.groups
    else:
        version, rules = standing.version, rules_kept(standing.rules, zone)
        frozen = {x: {who: frozenset(path) for who, path in own.items()} for x, own in standing.frozen.items()}
        groups = kept_groups_from(standing.groupings)
    return InForce(
        version=version,
        recommender=recommender,
        rules=rules,
        book=book_of(rules, contents, zone=zone),
        frozen=frozen,
        zone=zone,
        groups=groups,
    )
