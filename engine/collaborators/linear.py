"""Each rule in linear rows over x[i, g], 1 where learner i is in group g."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.counts import CLOSE, class_of
from engine.collaborators.exact import Model
from engine.collaborators.reading import codes_of, friends_of, locked_in, pairs_of, shares_of
from engine.collaborators.roster import Roster, numbers_of
from engine.collaborators.spec import Layout, Rule, Spec

Row = dict[int, float]


@dataclass(frozen=True, slots=True)
class _Class:
    """What every rule writes its rows with: `place[i, g]` is the variable of learner i in group g."""

    model: Model
    place: NDArray[np.int64]
    roster: Roster
    layout: Layout
    spread: float

    def of(self, rows: Iterable[int], g: int, factor: float = 1.0) -> Row:
        """How many of these learners are in a group, times a factor."""
        return {int(self.place[i, g]): factor for i in rows}


def model_of(roster: Roster, spec: Spec, layout: Layout, *, spread: float = 0.0) -> tuple[Model, NDArray[np.int64]]:
    """The program of a specification, and `(n, k)` which variable says that a learner is in a group."""
    model, n, k = Model(), len(roster), layout.n_groups
    place = np.array([model.variable() for _ in range(n * k)], np.int64).reshape(n, k)
    about = _Class(model, place, roster, layout, spread)
    for i in range(n):
        model.row({int(v): 1.0 for v in place[i]}, 1.0, 1.0)
    for g in range(k):
        model.row(about.of(range(n), g), layout.low, layout.high)
    if not any(rule.verb == "lock" for rule in spec.rules):
        # Groups are numbered by their first members, so learner i is never in a later group than i.
        for i in range(min(n, k)):
            for g in range(i + 1, k):
                model.high[int(place[i, g])] = 0.0
    for rule in spec.rules:
        _VERBS[rule.verb](about, rule, 0.0 if rule.hard else rule.weight)
    return model, place


def _apart(about: _Class, rule: Rule, weight: float) -> None:
    if rule.verb == "keep_apart" and not weight:
        for g in range(about.layout.n_groups):
            about.model.row(about.of(locked_in(rule, about.roster), g), high=1.0)
        return
    for i, j in pairs_of(rule, about.roster):
        broken = dict.fromkeys(about.model.slack(weight), -1.0)
        for g in range(about.layout.n_groups):
            about.model.row({**about.of((i, j), g), **broken}, high=1.0)


def _together(about: _Class, rule: Rule, weight: float) -> None:
    for i, j in pairs_of(rule, about.roster):
        broken = dict.fromkeys(about.model.slack(weight), -1.0)
        for g in range(about.layout.n_groups):
            about.model.row({**about.of([i], g), **about.of([j], g, -1.0), **broken}, high=0.0)


def _lock(about: _Class, rule: Rule, weight: float) -> None:
    for i in locked_in(rule, about.roster):
        there = about.of([i], rule.group - 1) if rule.group <= about.layout.n_groups else {}
        about.model.row({**there, **about.model.slack(weight)}, low=1.0)


def _distribute(about: _Class, rule: Rule, weight: float) -> None:
    """Different values are counted by d <= 1 and d <= how many have it; all known differ, or every value is there."""
    codes, n_values = codes_of(rule, about.roster)
    by_value = [np.flatnonzero(codes == value) for value in range(n_values)]
    if rule.values:
        _evenly(about, codes, by_value, weight)
        return
    for g in range(about.layout.n_groups):
        there = [about.model.variable(whole=False) for _ in by_value]
        broken, every = about.model.slack(weight), about.model.variable()
        for d, members in zip(there, by_value, strict=True):
            about.model.row({d: 1.0, **about.of(members, g, -1.0)}, high=0.0)
        most = float(about.layout.high)
        differ = {**dict.fromkeys(there, 1.0), **about.of(np.flatnonzero(codes >= 0), g, -1.0), every: most}
        about.model.row({**differ, **dict.fromkeys(broken, most)}, low=0.0)
        full = {**dict.fromkeys(there, 1.0), every: -float(n_values), **dict.fromkeys(broken, float(n_values))}
        about.model.row(full, low=0.0)


def _evenly(about: _Class, codes: NDArray[np.int32], by_value: list[NDArray[np.intp]], weight: float) -> None:
    few, most = shares_of(codes, len(by_value), about.layout.n_groups)
    for g in range(about.layout.n_groups):
        broken = about.model.slack(weight)
        for value, members in enumerate(by_value):
            room = float(about.layout.high)
            about.model.row({**about.of(members, g), **dict.fromkeys(broken, room)}, low=float(few[value]))
            about.model.row({**about.of(members, g), **dict.fromkeys(broken, -room)}, high=float(most[value]))


def _cluster(about: _Class, rule: Rule, weight: float) -> None:
    codes, n_values = codes_of(rule, about.roster)
    for g in range(about.layout.n_groups):
        there = [about.model.variable() for _ in range(n_values)]
        for value, there_is in enumerate(there):
            for i in np.flatnonzero(codes == value):
                about.model.row({**about.of([int(i)], g), there_is: -1.0}, high=0.0)
        broken = dict.fromkeys(about.model.slack(weight), -float(max(n_values - 1, 1)))
        about.model.row({**dict.fromkeys(there, 1.0), **broken}, high=1.0)


def _alone(about: _Class, rule: Rule, weight: float) -> None:
    codes, n_values = codes_of(rule, about.roster)
    for g in range(about.layout.n_groups):
        broken = about.model.slack(weight)
        for value in range(n_values):
            members = np.flatnonzero(codes == value)
            anyone = about.model.variable()
            about.model.row({**about.of(members, g), anyone: -float(about.layout.high)}, high=0.0)
            about.model.row({**about.of(members, g), anyone: -2.0, **broken}, low=0.0)


def _at_least_one(about: _Class, rule: Rule, weight: float) -> None:
    codes, _ = codes_of(rule, about.roster)
    known = np.flatnonzero(codes >= 0)
    for g in range(about.layout.n_groups):
        served = {**about.of(np.flatnonzero(codes == 0), g), **about.model.slack(weight)}
        if len(about.roster) - len(known) >= about.layout.low:
            nobody_known = about.model.variable()
            about.model.row(
                {**about.of(known, g), nobody_known: float(about.layout.high)}, high=float(about.layout.high)
            )
            served[nobody_known] = 1.0
        about.model.row(served, low=1.0)


def _friends(about: _Class, rule: Rule, weight: float) -> None:
    for i, friends in enumerate(friends_of(rule, about.roster)):
        if not friends:
            continue
        met = dict(about.model.slack(weight))
        for g in range(about.layout.n_groups):
            here = about.model.variable(whole=False)
            met[here] = 1.0
            about.model.row({here: 1.0, **about.of([i], g, -1.0)}, high=0.0)
            about.model.row({here: 1.0, **about.of(friends, g, -1.0)}, high=0.0)
        about.model.row(met, low=1.0)


def _balance(about: _Class, rule: Rule, weight: float) -> None:
    """Sums for means: a mean is within the tolerance where the sum of distances is within its multiple."""
    numbers = numbers_of(about.roster, rule.by[0])
    mean, sd = class_of(numbers)
    known = np.flatnonzero(~np.isnan(numbers))
    if not sd:
        return
    above = (numbers - mean) / sd
    most = float(np.sort(np.abs(above[known]))[-about.layout.high :].sum())
    edge = rule.tolerance + CLOSE / sd
    for g in range(about.layout.n_groups):
        broken = dict.fromkeys(about.model.slack(weight), -most)
        distance = about.model.variable(about.spread * weight, whole=False, high=most) if about.spread else None
        for sign in (1.0, -1.0):
            off = {int(about.place[i, g]): sign * float(above[i]) for i in known}
            within = {at: factor - edge for at, factor in off.items()}
            about.model.row({**within, **broken}, high=0.0)
            if distance is not None:
                about.model.row({**off, distance: -float(about.layout.low)}, high=0.0)


_VERBS: dict[str, Callable[[_Class, Rule, float], None]] = {
    "keep_apart": _apart,
    "keep_together": _together,
    "avoid_repeat": _apart,
    "lock": _lock,
    "distribute": _distribute,
    "cluster": _cluster,
    "no_one_alone": _alone,
    "at_least_one": _at_least_one,
    "friends": _friends,
    "balance": _balance,
}
