"""What a step is worth to a learner's goal, per minute: expected gain on its skills, or on what they wait for."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.learner.gains import GainModel
from engine.learner.menu import Known, Menu
from engine.learner.tracing import MASTERED
from engine.ranking.steps import best_of, rates_of, steps_of

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
    steps = steps_of(menu, known, gains)
    # Both questions at once, as each step is and as it would be if its skill were ready.
    changes, minutes = gains.gains(steps.facts, steps.keys), known.takes.with_those(steps.place)
    gain, (best, best_ready) = best_of(steps, changes, minutes, len(menu.skills))
    value, opens = _values(menu, known.known, gains.tracing.span, aims, best, best_ready, ahead)
    rate = rates_of(steps, changes, minutes, value)
    return Worth(rate, steps.place, steps.skill, gain, value, opens, steps.readiness)


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
    room = span * np.maximum(MASTERED + 0.1 - traced[aims], 0.0)
    waiting = (room > 0) & (best_ready[aims] > best[aims])
    for aim, left in zip(aims[waiting].tolist(), room[waiting].tolist(), strict=True):
        waits = [q for q in menu.closure([aim]) if q != aim and traced[q] < MASTERED]
        if not waits:
            continue
        rates, at_last = np.maximum(best_ready[waits], _NOTHING), max(best_ready[aim], _NOTHING)
        before = float((span * np.maximum(MASTERED - traced[waits], 0.0) / rates).sum())
        whole = min(before + left / at_last, ahead)
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
