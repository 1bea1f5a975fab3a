"""What a step is worth to a learner's goal, per minute: expected gain on its skills, or on what they wait for."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.learner.gains import FACTS, GainModel, step_facts
from engine.learner.menu import Known, Menu
from engine.learner.tracing import MASTERED, within_reach

_READINESS = [FACTS.index("readiness"), FACTS.index("readiness_mean")]
# A minute is the shortest step that is planned with.
_SHORTEST = 0.25
_NOTHING = 1e-9

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Worth:
    """What steps are worth, for resources `(n,)` and their pairs with skills `(n_pairs,)`.

    `rate`: `(n,)` value for the goal per minute, negative where a step does harm. `place`, `skill`: the pairs;
    `gain`: the expected rise of mastery. `value`: `(n_skills,)` what a unit of mastery of each skill is worth to the
    goal. `opens`: for a skill that is worth learning because another one waits for it, that other one. `readiness`:
    `(n_skills,)` of the weakest skill needed.
    """

    rate: Floats
    place: Ints
    skill: Ints
    gain: Floats
    value: Floats
    opens: Mapping[int, int]
    readiness: Floats


def worth_of(menu: Menu, known: Known, gains: GainModel, aims: Ints, *, ahead: float = np.inf) -> Worth:
    """The worth of the resources in `known` to a learner with `ahead` minutes of work for the skills `aims`.

    Skills that were not asked about, whose mastery is NaN, are worth nothing: no pair speaks of them.
    """
    place, skill = menu.pairs(known.rows)
    asked = ~np.isnan(known.mastery)
    mine = asked[skill]
    place, skill = place[mine], skill[mine]
    skills, traced = np.flatnonzero(asked), known.known
    readiness, mean = readiness_of(menu, traced, skills)
    readiness[skills] = within_reach(readiness[skills], known.against[skills])
    of_format = np.array([gains.format_number(name) for name in menu.format_names])
    facts = step_facts(
        mastery=known.mastery[skill],
        known=traced[skill],
        readiness=(readiness[skill], mean[skill]),
        p=known.p[place],
        of_skill=known.facts[skill],
        own=known.own[place],
        # As in training: what the catalogue says, the same for all learners.
        log_minutes=np.log(menu.usual_minutes[known.rows])[place],
        formats=of_format[menu.format_index[known.rows]][place],
    )
    keys = menu.item_keys[known.rows][place]
    minutes = np.maximum(known.minutes, _SHORTEST)[place]
    # Both questions at once, as the step is and as it would be if its skill were ready.
    ready = facts.copy()
    ready[:, _READINESS] = np.maximum(ready[:, _READINESS], np.float32(MASTERED))
    both = gains.gains(np.concatenate([facts, ready]), np.concatenate([keys, keys]))
    change, gain_ready = both[: len(keys)], both[len(keys) :]
    gain = np.maximum(change, 0.0)
    n = len(menu.skills)
    best, best_ready = np.zeros(n), np.zeros(n)
    np.maximum.at(best, skill, gain / minutes)
    np.maximum.at(best_ready, skill, np.maximum(gain_ready, gain) / minutes)
    value, opens = _values(menu, traced, gains.tracing.span, aims, best, best_ready, ahead)
    rate = np.bincount(place, change * value[skill] / minutes, len(known.rows)).astype(np.float64)
    # What does harm is worse than nothing, but no harm outweighs the best there is.
    rate = np.maximum(rate, -max(float(rate.max(initial=0.0)), _NOTHING))
    return Worth(rate, place, skill, gain, value, opens, readiness)


def readiness_of(menu: Menu, traced: Floats, skills: Ints) -> tuple[Floats, Floats]:
    """How surely the weakest skill needed before each of `skills` is known, and the mean; 1 where nothing is needed.

    Both `(n_skills,)` over the whole menu, as `traced` is, which is NaN where nothing was asked; that counts as known.
    """
    n = len(menu.skills)
    least, mean = np.ones(n), np.ones(n)
    some = skills[menu.needed.lengths[skills] > 0]
    if len(some):
        _, needed = menu.needed.gathered(some)
        of_needed, lengths = np.nan_to_num(traced[needed], nan=1.0), menu.needed.lengths[some]
        starts = np.cumsum(lengths) - lengths
        least[some] = np.minimum.reduceat(of_needed, starts)
        mean[some] = np.add.reduceat(of_needed, starts) / lengths
    return least, mean


def _values(
    menu: Menu, traced: Floats, span: float, aims: Ints, best: Floats, best_ready: Floats, ahead: float
) -> tuple[Floats, dict[int, int]]:
    """What a unit of mastery of each skill is worth, and for what the skills are that only open others.

    A skill aimed at counts 1. Where what it waits for would, once known, let it be learned so much faster that the way
    around pays, time for both counted, the skills it waits for are worth as much per minute as the whole way: the ratio
    of what is won to the minutes it takes, as in scheduling work with precedence (Sidney 1975). What lies beyond the
    minutes `ahead` is not won.
    """
    value = np.zeros(len(menu.skills))
    value[aims] = 1.0
    opens: dict[int, int] = {}
    room = span * np.maximum(MASTERED + 0.1 - traced, 0.0)
    short = span * np.maximum(MASTERED - traced, 0.0)
    for aim in aims[(room[aims] > 0) & (best_ready[aims] > best[aims])].tolist():
        waits = [q for q in menu.closure([aim]) if q != aim and traced[q] < MASTERED]
        if not waits:
            continue
        rates, at_last = np.maximum(best_ready[waits], _NOTHING), max(best_ready[aim], _NOTHING)
        before = float((short[waits] / rates).sum())
        whole = min(before + room[aim] / at_last, ahead)
        if whole <= before:
            continue
        way = (whole - before) * at_last / whole
        if way <= best[aim]:
            continue
        for q, rate in zip(waits, rates.tolist(), strict=True):
            if way / rate > value[q]:
                value[q] = way / rate
                opens[q] = aim
    return value, opens
