"""What a rule would do to learners as they are now: pins that come too early, bands that leave nothing."""

import numpy as np

from engine.domain.rule import Rule
from engine.learner.tracing import MASTERED
from engine.rules.bars import outside
from engine.rules.compiled import RuleBook
from engine.rules.plan import Plan
from engine.rules.problems import Desk, Problem
from engine.rules.scope import Who, speaks_to
from engine.rules.times import window
from engine.rules.values import band_of
from engine.rules.words import counted, named


def without_what_is_needed(rule: Rule, book: RuleBook, desk: Desk) -> list[Problem]:
    """A warning for each resource a rule puts in though its prerequisites are not mastered, with for how many."""
    found = []
    for resource_id in rule.what.resources if rule.verb in ("pin", "assign") else ():
        row = desk.contents.resource_map.row(resource_id)
        resource = desk.contents.resources[row] if row >= 0 else None
        if resource is None:
            continue
        waiting = [
            _missing(resource.skills, who, plan, desk)
            for who, plan in _under(rule, book, desk)
            if not _is_waived(plan, row)
        ]
        too_early = [skills for skills in waiting if skills]
        if too_early:
            needed = ", ".join(desk.titles.get(s, s) for s in sorted(set().union(*too_early))[:4])
            words = (
                f"{named(rule)} puts in “{resource.title}”, which builds on {needed}: not mastered yet by "
                f"{len(too_early)} of {counted(len(waiting), 'learner')}. Waive it with waive_prerequisite, or wait."
            )
            found.append(Problem("too_early", False, (rule.rule_id,), words))
    return found


def without_anything(rule: Rule, book: RuleBook, desk: Desk) -> list[Problem]:
    """Whether a success band leaves learners nothing: refused where it leaves nobody anything."""
    if rule.verb != "success_band" or rule.strength == "soft":
        return []
    left = [
        _is_anything_left(plan, desk, who) for who, plan in _under(rule, book, desk) if who.learner_id in desk.chances
    ]
    n_without = left.count(False)
    if not n_without:
        return []
    words = (
        f"{named(rule)} leaves {n_without} of {counted(len(left), 'learner')} nothing to do: widen the band or make "
        "it soft."
    )
    return [Problem("band_leaves_nothing", n_without == len(left), (rule.rule_id,), words)]


def _under(rule: Rule, book: RuleBook, desk: Desk) -> list[tuple[Who, Plan]]:
    """The learners under a rule with their plans when it begins, or now."""
    moment = max(window(rule, desk.zone)[0], desk.now_us)
    return [(who, book.plan(who, moment)) for who in desk.roster if speaks_to(rule, who)]


def _is_waived(plan: Plan, row: int) -> bool:
    return plan.waived is not None and bool(plan.waived[row])


def _missing(skills: tuple[str, ...], who: Who, plan: Plan, desk: Desk) -> set[str]:
    """The prerequisites that are known not to be mastered; what a teacher set counts."""
    known = desk.mastery.get(who.learner_id, {})
    needed = {p for s in skills for p in desk.graph.get(s, ())} - set(skills)
    told = {s: plan.mastery[s][1] if s in plan.mastery else known.get(s, np.nan) for s in needed}
    return {s for s, mastery in told.items() if mastery < MASTERED}


def _is_anything_left(plan: Plan, desk: Desk, who: Who) -> bool:
    left = plan.allowed & desk.contents.there
    for part in plan.bands:
        if part.rule.strength == "hard":
            left &= ~outside(desk.chances[who.learner_id], part.mask, *band_of(part.rule))
    return bool(left.any() or any(d.hard for d in plan.demands))
