"""What a teacher wants groups for, as columns and rules: same need, mixed, jigsaw, interest, random."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.roster import Roster
from engine.collaborators.spec import Rule, Size, Spec
from engine.domain.errors import BadInput

NEED, STRENGTH, LEVEL, PART, INTEREST = "_need", "_strength", "_level", "_part", "_interest"
_MAIN = 2.0


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a class: `mastery` `(n, n_skills)` in [0, 1], NaN unknown; `ready` `(n, n_skills)` bool.

    `interests`: one for each learner, `""` where none is known. `mastered`: the threshold.
    """

    learner_ids: tuple[str, ...]
    skills: tuple[str, ...]
    mastery: NDArray[np.float64]
    ready: NDArray[np.bool_]
    interests: tuple[str, ...] = ()
    mastered: float = 0.85


def plan_of(
    mode: str, known: Known, size: Size, rules: Sequence[Rule] = (), roster: Roster | None = None
) -> tuple[Roster, Spec]:
    """The roster with the columns a mode looks at, and the specification of the mode and of further rules.

    Rules of the mode come after the further ones, whose indexes stay as they are. Columns beginning with `_` are the
    mode's; they hold what is known of learners and are for nobody's eyes.

    Raises:
        BadInput: a mode that is not known.
    """
    if mode not in MODES:
        raise BadInput(f"{mode!r} is no mode of grouping: choose one of {', '.join(MODES)}")
    columns, own = MODES[mode](known)
    first = max((rule.index for rule in rules), default=-1) + 1
    placed = tuple(replace(rule, index=first + at) for at, rule in enumerate(own))
    told = dict(roster.columns) if roster else {}
    return Roster(known.learner_ids, {**told, **columns}), Spec(size, (*rules, *placed))


def weakest_ready(known: Known) -> tuple[str, ...]:
    """The skill each learner is ready for and knows least, `""` where there is none; ties by id."""
    open_ = known.ready & (np.nan_to_num(known.mastery, nan=0.0) < known.mastered)
    order = np.argsort(np.array(known.skills, dtype=str), kind="stable")
    score = np.where(open_, np.nan_to_num(known.mastery, nan=0.0), np.inf)[:, order]
    found = score.argmin(1) if len(known.skills) else np.zeros(len(known.learner_ids), np.intp)
    return tuple(
        known.skills[order[at]] if len(known.skills) and np.isfinite(score[i, at]) else "" for i, at in enumerate(found)
    )


def parts_of(known: Known) -> tuple[str, ...]:
    """One skill for each learner to be the expert of, as many experts of each as can be, the best at it first.

    Skills take turns, the one with the fewest learners who know it first, so that no skill is left without its own.
    """
    strength = np.nan_to_num(known.mastery, nan=0.0)
    part, free = [""] * len(known.learner_ids), set(range(len(known.learner_ids)))
    turns = sorted(range(len(known.skills)), key=lambda k: (float(strength[:, k].sum()), known.skills[k]))
    while free and turns:
        for k in turns:
            if not free:
                break
            expert = min(free, key=lambda i: (-strength[i, k], known.learner_ids[i]))
            part[expert] = known.skills[k]
            free.remove(expert)
    return tuple(part)


Planned = tuple[dict[str, tuple[str, ...]], list[Rule]]


def _rule(verb: str, by: str, *, weight: float = 1.0) -> Rule:
    return Rule(index=0, verb=verb, hard=False, weight=weight, by=(by,))


def _strengths(known: Known) -> tuple[str, ...]:
    told = ~np.isnan(known.mastery)
    means = np.divide(
        np.nan_to_num(known.mastery).sum(1), told.sum(1), out=np.full(len(told), np.nan), where=told.any(1)
    )
    return tuple("" if np.isnan(mean) else repr(float(mean)) for mean in means)


def _same_need(known: Known) -> Planned:
    return {NEED: weakest_ready(known)}, [_rule("cluster", NEED, weight=_MAIN)]


def _mixed(known: Known) -> Planned:
    """Even means, and no group of learners who are all as strong as one another."""
    strengths = _strengths(known)
    values = np.array([float(s) for s in strengths if s])
    cuts = np.quantile(values, [1 / 3, 2 / 3]) if len(values) else np.empty(0)
    levels = tuple("" if not s else str(int(np.searchsorted(cuts, float(s), side="right"))) for s in strengths)
    columns = {STRENGTH: strengths, LEVEL: levels}
    return columns, [_rule("balance", STRENGTH, weight=_MAIN), _rule("distribute", LEVEL)]


def _jigsaw(known: Known) -> Planned:
    return {PART: parts_of(known)}, [_rule("distribute", PART, weight=_MAIN)]


def _interest(known: Known) -> Planned:
    """Those who share an interest together, and none of them alone; what only one wants is nothing to group by."""
    told = Counter(known.interests)
    interests = tuple(x if told[x] > 1 else "" for x in known.interests) or ("",) * len(known.learner_ids)
    return {INTEREST: interests}, [_rule("cluster", INTEREST, weight=_MAIN), _rule("no_one_alone", INTEREST)]


def _random(_known: Known) -> Planned:
    return {}, []


MODES: dict[str, Callable[[Known], Planned]] = {
    "same_need": _same_need,
    "mixed": _mixed,
    "jigsaw": _jigsaw,
    "interest": _interest,
    "random": _random,
}
