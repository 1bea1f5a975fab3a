"""Random worlds under random rules, small enough that an oracle can try everything, with every mode an answer has."""

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import numpy as np

from engine.domain.catalogue import catalogue_of
from engine.domain.history import History, microseconds
from engine.domain.resource import Resource
from engine.domain.rule import Rule, Scope, What
from engine.rules.admission import added_by_rules, admitted
from engine.rules.compiled import book_of
from engine.rules.matching import contents_of
from engine.rules.outcome import Ranked, Situation
from engine.rules.scope import Who
from engine.rules.stage import decided
from tests.laws.rules_oracle import Case

MODES = ("personalised", "reduced", "cold", "fallback", "non_personalised", "faulty")
ZONES = [ZoneInfo(z) for z in ("UTC", "Europe/Zurich", "Pacific/Auckland", "America/Los_Angeles")]
SKILLS, FORMATS, TAGS = "abc", ("video", "text", "project"), ("new", "core")
MORNING = datetime(2026, 11, 25, 8, tzinfo=UTC)
VALUES = {
    "boost": lambda r: r.choice([1.5, 2, 4]),
    "demote": lambda r: r.choice([1.5, 2, 4]),
    "success_band": lambda r: sorted(r.sample([0.0, 0.3, 0.5, 0.6, 0.8, 0.9, 1.0], 2)),
    "cap_minutes": lambda r: {u: r.choice([0, 10, 30, 90]) for u in r.choice([["day"], ["week"], ["day", "week"]])},
    "pace_bounds": lambda r: {"floor": 10, "ceiling": r.choice([20, 60, 200])} if r.random() < 0.8 else {"floor": 5},
    "formats": lambda r: {
        side: {f: r.randint(0, 3) for f in r.sample(FORMATS, r.randint(1, 2))}
        for side in r.choice([["min"], ["max"], ["max"], ["min", "max"]])
    },
    "set_mastery": lambda r: r.choice([0.2, 0.9]),
    "assign": lambda r: r.choice([None, {"due": "2026-12-01"}, {"due": "2026-11-20"}]),
}
VERBS = (
    "pin", "pin", "assign", "assign", "hide", "hide", "only", "require_first", "require_first", "waive_prerequisite",
    "freeze_path", "boost", "demote", "success_band", "success_band", "cap_minutes", "pace_bounds", "formats",
    "formats", "set_mastery",
)  # fmt: skip


def what_of(verb, r, ids):
    if verb in ("pin", "assign"):
        return What(resources=tuple(r.sample([*ids, "gone"], r.choice([1, 1, 2]))))
    if verb in ("require_first", "set_mastery"):
        return What(skills=tuple(r.sample(SKILLS, r.choice([1, 1, 2]))))
    if verb in ("cap_minutes", "pace_bounds", "formats"):
        return What()
    optional = verb in ("freeze_path", "success_band") and r.random() < 0.5
    if optional:
        return What()
    kind = r.choice(["skills", "resources"] if verb in ("freeze_path", "waive_prerequisite") else
                    ["skills", "resources", "formats", "tags", "both"])  # fmt: skip
    if kind == "both":
        return What(skills=(r.choice(SKILLS),), formats=(r.choice(FORMATS),))
    names = {"skills": SKILLS, "resources": ids, "formats": FORMATS, "tags": TAGS}[kind]
    return What(**{kind: tuple(r.sample(list(names), min(len(names), r.choice([1, 1, 2, 3]))))})


def rule(r, number, ids):
    verb = r.choice(VERBS)
    value = VALUES[verb](r) if verb in VALUES else None
    if verb == "formats" and len(value) == 2:
        value["max"] = {f: max(n, value["min"].get(f, 0)) for f, n in value["max"].items()}
    scope = r.choice(
        [Scope(), Scope(class_id="7b"), Scope(class_id="7b"), Scope(class_id="8a"), Scope(group_id="g"),
         Scope(learner_id="anna"), Scope(learner_id="ben")]
    )  # fmt: skip
    return Rule(
        rule_id=f"r{number}",
        verb=verb,
        strength=r.choice(["hard", "hard", "soft"]),
        scope=scope,
        what=what_of(verb, r, ids),
        value=value,
        starts=r.choice([None, None, None, "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-25T09:00"]),
        until=r.choice([None, None, None, "2026-11-25", "2026-11-24", "2026-11-25T07:30:00+00:00"]),
        created_at=r.choice([None, "2026-11-25T07:00:00+00:00"]),
        updated_at=r.choice([None, "2026-11-20T07:00:00+00:00", "2026-11-21T07:00:00+00:00"]),
    )


def resources_of(r):
    return [
        Resource(
            resource_id=f"x{i}",
            title=f"X {i}",
            format=r.choice(FORMATS),
            skills=tuple(r.sample(SKILLS, r.choice([0, 1, 1, 2]))),
            tags=tuple(r.sample(TAGS, r.choice([0, 1]))),
        )
        for i in range(r.randint(1, 9))
    ]


def case_of(r, rules, resources, mode):
    """One learner of a mode: what is known of chances, minutes, mastery and the past differs."""
    ids = [x.resource_id for x in resources]
    known = {"personalised": 1.0, "reduced": 0.5, "cold": 0.3, "fallback": 0.0, "non_personalised": 0.3, "faulty": 0.5}
    anybody = mode in ("cold", "non_personalised", "fallback")
    # Drawn in the order of the ids: a walk over a set would differ from run to run.
    offered = {x for x in ids if r.random() < 0.9}
    candidates = {x for x in ids if r.random() < 0.8} & offered
    if mode == "faulty" and r.random() < 0.3:
        candidates = set()
    return Case(
        rules=rules,
        resources=resources,
        learner_id=r.choice(["anna", "ben"]),
        class_ids=r.choice([("7b",), ("8a",), ("7b", "8a"), ()]),
        group_ids=r.choice([("g",), ()]),
        now=MORNING + timedelta(hours=r.choice([0, 0, 2, 5, 14, 16, 20])),
        zone=r.choice(ZONES),
        candidates=candidates,
        offered=offered,
        history=[] if anybody else [
            (r.choice(ids), MORNING - timedelta(hours=r.choice([1, 30, 50])) + timedelta(minutes=30))
            for _ in range(r.randint(0, 3))
        ],
        scores={x: r.choice([0.0, 0.25, 0.5, 0.5, 1.0, -1.0]) for x in ids},
        scale=r.choice([1.0, 0.5]),
        chances={x: r.choice([0.2, 0.5, 0.6, 0.7, 0.95]) for x in ids if r.random() < known[mode]},
        minutes={x: r.choice([0.0, 5.0, 10.0, 20.0, 45.0]) for x in ids if r.random() < max(known[mode], 0.6)},
        mastery={} if mode == "fallback" else {s: r.choice([0.3, 0.85, 0.9]) for s in SKILLS if r.random() < 0.8},
        today=r.choice([0.0, 0.0, 8.0, 30.0]),
        week=r.choice([0.0, 40.0, 100.0]),
        frozen=None if anybody else r.choice([None, {x for x in ids if r.random() < 0.5}]),
        unready={x for x in ids if r.random() < 0.2} if mode == "personalised" else set(),
        k=r.choice([1, 2, 3, 3, 5]),
    )  # fmt: skip


def cases(seed, n):
    """Cases of one set of rules over one catalogue: several learners, every mode in turn."""
    r = Random(seed)
    resources = resources_of(r)
    ids = [x.resource_id for x in resources]
    rules = [rule(r, i, ids) for i in range(r.choice([1, 2, 3, 4, 6, 8]))]
    return [case_of(r, rules, resources, MODES[i % len(MODES)]) for i in range(n)]


class Engine:
    """The engine under test: rules compiled once for many learners."""

    def __init__(self, rules, resources):
        self.catalogue = catalogue_of(resources, known_ids=("withdrawn-1", "x3", "withdrawn-2"))
        self.contents = contents_of(self.catalogue)
        self.rules, self.books = rules, {}

    def mask(self, ids):
        mask = np.zeros(len(self.catalogue), bool)
        mask[[self.catalogue.resource_map.row(x) for x in ids]] = True
        return mask

    def history(self, case):
        rows = [self.catalogue.resource_map.row(x) for x, _ in case.history]
        return History(np.array(rows, np.int32), np.array([microseconds(at) for _, at in case.history], np.int64))

    def decided(self, case):
        """The slate as ids with what each is, and the whole outcome."""
        admission, ranked, situation, ids = self.prepared(case)
        outcome = decided(admission, ranked, situation, k=case.k)
        return [(ids[p.position], p.status) for p in outcome.slate], outcome

    def prepared(self, case):
        """What the stage is given, and the ids of its rows."""
        zone = str(case.zone)
        if zone not in self.books:
            self.books[zone] = book_of(self.rules, self.contents, zone=case.zone)
        who = Who(learner_id=case.learner_id, class_ids=case.class_ids, group_ids=case.group_ids)
        plan = self.books[zone].plan(who, microseconds(case.now))
        admission = admitted(
            plan, self.mask(case.candidates), offered=self.mask(case.offered), history=self.history(case)
        )
        ids = [self.catalogue.resource_map.ids[row] for row in admission.rows]
        added = added_by_rules(admission, case.scale)
        scores = np.array([case.scores[x] for x in ids]) + added
        own = [p for p in range(len(ids)) if admission.own[p]]
        ranked = Ranked(
            order=np.array(sorted(own, key=lambda p: (-scores[p], ids[p])), np.int64),
            p=np.array([case.chances.get(x, np.nan) for x in ids]),
            minutes=np.array([case.minutes.get(x, np.nan) for x in ids]),
            added=added,
            scale=case.scale,
            unready=np.array([x in case.unready for x in ids], bool) if case.unready else None,
        )
        frozen = None if case.frozen is None else frozenset(self.catalogue.resource_map.row(x) for x in case.frozen)
        situation = Situation(spent_today=case.today, spent_this_week=case.week, mastery=case.mastery, frozen=frozen)
        return admission, ranked, situation, ids
