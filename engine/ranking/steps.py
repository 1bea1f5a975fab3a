"""Single steps: each resource looked at with each of its skills, as it is judged, and what it wins."""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.learner.gains import FACTS, GainModel, step_facts
from engine.learner.kernels import address, library
from engine.learner.menu import Known, Menu
from engine.learner.tracing import MASTERED, within_reach

_READINESS = [FACTS.index("readiness"), FACTS.index("readiness_mean")]
# A minute is the shortest step that is planned with.
_SHORTEST = 0.25
_NOTHING = 1e-9

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class _CSteps(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_void_p)
        for name in (
            "taught_ptr", "taught", "needed_ptr", "needed", "log_minutes", "formats", "format_index", "item_keys",
            "mastery", "known", "against", "p", "of_skill", "own",
        )
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Steps:
    """Pairs of a resource and a skill, `place` and `skill` `(n_pairs,)`, of skills that were asked about.

    `facts` `(2 * n_pairs, n_facts)` and `keys` of the resources: first as each step is, then as it would be if its
    skill were ready. `readiness`: `(n_skills,)` of the weakest skill needed.
    """

    place: Ints
    skill: Ints
    facts: NDArray[np.float32]
    keys: NDArray[np.uint64]
    readiness: Floats


def steps_of(menu: Menu, known: Known, gains: GainModel) -> Steps:
    """The steps on the resources in `known`."""
    of_format = np.array([gains.format_number(name) for name in menu.format_names])
    loaded = library()
    if loaded is None:
        return listed_steps(menu, known, of_format)
    rows = np.ascontiguousarray(known.rows, np.int64)
    most, n_skills = int(menu.taught.lengths[rows].sum()), len(menu.skills)
    place, skill = np.empty((2, most), np.int64)
    facts, keys = np.empty((2 * most, len(FACTS)), np.float32), np.empty(2 * most, np.uint64)
    readiness, means = np.ones((2, n_skills))
    read = (
        menu.taught.ptr, menu.taught.values, menu.needed.ptr, menu.needed.values, menu.log_minutes, of_format,
        menu.format_index, menu.item_keys, known.mastery, known.known, known.against, known.p, known.facts, known.own,
    )  # fmt: skip
    made = _CSteps(*map(address, read))
    n = loaded.step_facts(
        ctypes.addressof(made), address(rows), len(rows), n_skills, MASTERED, address(place), address(skill),
        address(keys), address(facts), address(readiness), address(means),
    )  # fmt: skip
    return Steps(place[:n], skill[:n], facts[: 2 * n], keys[: 2 * n], readiness)


def listed_steps(menu: Menu, known: Known, of_format: Floats) -> Steps:
    """The same in numpy: the compiled form's oracle and stand-in."""
    place, skill = menu.pairs(known.rows)
    asked = ~np.isnan(known.mastery)
    mine = asked[skill]
    place, skill = place[mine], skill[mine]
    skills, traced = np.flatnonzero(asked), known.known
    readiness, mean = readiness_of(menu, traced, skills)
    readiness[skills] = within_reach(readiness[skills], known.against[skills])
    facts = step_facts(
        mastery=known.mastery[skill],
        known=traced[skill],
        readiness=(readiness[skill], mean[skill]),
        p=known.p[place],
        of_skill=known.facts[skill],
        own=known.own[place],
        # As in training: what the catalogue says, the same for all learners.
        log_minutes=menu.log_minutes[known.rows][place],
        formats=of_format[menu.format_index[known.rows]][place],
    )
    ready, keys = facts.copy(), menu.item_keys[known.rows][place]
    ready[:, _READINESS] = np.maximum(ready[:, _READINESS], np.float32(MASTERED))
    return Steps(place, skill, np.concatenate([facts, ready]), np.concatenate([keys, keys]), readiness)


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


def best_of(steps: Steps, changes: Floats, minutes: Floats, n_skills: int) -> tuple[Floats, Floats]:
    """What each pair wins, `(n_pairs,)`, and the most a minute wins on each skill, as it is and as if it were ready.

    The latter `(2, n_skills)`. `changes` are those of the steps' facts, `minutes` those of the resources.
    """
    place, skill, n, loaded = steps.place, steps.skill, len(steps.place), library()
    best = np.zeros((2, n_skills))
    if loaded is None:
        gain, takes = np.maximum(changes[:n], 0.0), np.maximum(minutes, _SHORTEST)[place]
        np.maximum.at(best[0], skill, gain / takes)
        np.maximum.at(best[1], skill, np.maximum(changes[n:], gain) / takes)
        return gain, best
    gain, minutes = np.empty(n), np.ascontiguousarray(minutes)
    told = (address(changes), address(minutes), _SHORTEST, address(gain), address(best))
    loaded.best_steps(address(place), address(skill), n, n_skills, *told)
    return gain, best


def rates_of(steps: Steps, changes: Floats, minutes: Floats, value: Floats) -> Floats:
    """What a minute of each resource is worth: `(n,)`, with the `value` `(n_skills,)` of its skills.

    What does harm is worse than nothing, but no harm outweighs the best there is.
    """
    place, skill, n, loaded = steps.place, steps.skill, len(steps.place), library()
    if loaded is None:
        takes = np.maximum(minutes, _SHORTEST)[place]
        rate = np.bincount(place, changes[:n] * value[skill] / takes, len(minutes)).astype(np.float64)
        return np.maximum(rate, -max(float(rate.max(initial=0.0)), _NOTHING))
    rate, minutes = np.zeros(len(minutes)), np.ascontiguousarray(minutes)
    told = (address(changes), address(value), address(minutes), len(minutes), _SHORTEST, _NOTHING, address(rate))
    loaded.step_rates(address(place), address(skill), n, *told)
    return rate
