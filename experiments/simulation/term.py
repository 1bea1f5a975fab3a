"""A term of weekly groups and weekly peers in simulated classes, beside random pairing under the same hard rules.

`python -m experiments.simulation.term --classes 20 --picture term.png`
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.affinity import USUAL
from engine.collaborators.contacts import DAY_US, HELPED, TOGETHER, WEEK_US, YES, Contacts, contacts_from, joined
from engine.collaborators.crowd import Crowd, Person, abilities_of, crowd_of, readiness_of
from engine.collaborators.fairness import gini, repeat_rate
from engine.collaborators.modes import plan_of
from engine.collaborators.peer_tasks import known_of_crowd
from engine.collaborators.peers import Wish, peers_for
from engine.collaborators.precedence import in_order
from engine.collaborators.proposals import Grouping
from engine.collaborators.propose import Effort, propose
from engine.collaborators.safeguards import allowed
from engine.collaborators.spec import Met, Rule, Size
from engine.collaborators.teachers import ROUNDS_APART
from engine.rules.people import Pair, People
from experiments.simulation.term_laws import LAWS, Law

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N, N_SKILLS, N_WEEKS, N_IN_GROUP = 28, 8, 12, 4
# Two who are kept apart, one who came without any history, one who wants no matching.
APART, NEWCOMER, OPTED_OUT = (3, 7), 27, 14
_FIRST_US = 20_000 * DAY_US
_ANSWERS_BEFORE, _ANSWERS_A_WEEK, _GUESS, _SLIP = 8, 2, 0.1, 0.04
_STEPS = 60_000
# What the class works on in each week, whoever makes the groups.
_TOPICS = (0, 4, 1, 5, 2, 6, 3, 7)
POLICIES = ("trailmate", "random")


@dataclass(slots=True)
class Class:
    """One simulated class and the law it learns by.

    `truth` `(N, N_SKILLS)` in [0, 1] is hidden; `right` and `answers` were seen of it.
    """

    rng: np.random.Generator
    truth: Floats
    rate: Floats
    right: Floats
    answers: Ints
    needs: tuple[tuple[int, ...], ...]
    law: Law


@dataclass(slots=True)
class Term:
    """What a policy did in one class: groups of each week, who was asked by whom, and mastery before and after."""

    rounds: list[list[list[int]]] = field(default_factory=list)
    asked: list[tuple[int, int, int]] = field(default_factory=list)
    broken: int = 0
    left_alone: int = 0
    start: float = 0.0
    end: float = 0.0

    def figures(self) -> dict[str, float]:
        """The term in numbers; loads and repeats over those who take part."""
        there = [i for i in range(N) if i != OPTED_OUT]
        loads = np.bincount([j for _, _, j in self.asked], minlength=N)[there].astype(np.float64)
        weeks = [[[i, j] for week, i, j in self.asked if week == w] for w in range(N_WEEKS)]
        return {
            "gain": (self.end - self.start) / (1.0 - self.start),
            "coverage": 1.0 - self.left_alone / (2 * N_WEEKS * len(there)),
            "broken": float(self.broken),
            "helper_load_gini": gini(loads),
            "most_asked": float(loads.max()),
            "repeats_in_groups": repeat_rate(self.rounds),
            "repeats_of_peers": repeat_rate(weeks),
        }


def class_of(seed: int, law: str = "explainer") -> Class:
    """A class of this seed: skills build on one another in two chains, classmates differ by skill and as a whole."""
    rng = np.random.default_rng([seed, 28])
    needs = tuple(() if k % 4 == 0 else (k - 1,) for k in range(N_SKILLS))
    depth = np.array([k % 4 for k in range(N_SKILLS)])
    able = rng.normal(0.6, 1.0, (N, 1)) + rng.normal(0, 1.0, (N, N_SKILLS)) - 0.5 * depth
    truth = 1.0 / (1.0 + np.exp(-able))
    answers = np.full((N, N_SKILLS), _ANSWERS_BEFORE)
    answers[NEWCOMER] = 0
    return Class(
        rng,
        truth,
        np.exp(rng.normal(0, 0.1, N)),
        rng.binomial(answers, _p(truth)).astype(float),
        answers,
        needs,
        LAWS[law],
    )


def seen_of(one: Class) -> Crowd:
    """What a school would know: means of answers, half and half where there are none."""
    skills = tuple(f"s{k}" for k in range(N_SKILLS))
    mastery = np.where(one.answers > 0, (one.right + 1.0) / (one.answers + 2.0), np.nan)
    graph = {f"s{k}": tuple(f"s{j}" for j in needed) for k, needed in enumerate(one.needs)}
    ready = readiness_of(np.nan_to_num(mastery, nan=1.0), skills, graph)
    people = [Person(learner_id=f"l{i:02d}", class_ids=("7b",), sharing=i != OPTED_OUT) for i in range(N)]
    abilities = abilities_of(skills, mastery, one.answers, ready)
    return crowd_of(people, abilities, {})


def term(seed: int, policy: str, law: str = "explainer") -> Term:
    """Twelve weeks: groups on Monday, a peer for everybody on Wednesday, a few answers on Friday."""
    one, told = class_of(seed, law), Term()
    told.start = _known(one)
    contacts = contacts_from(N, [])
    for week in range(N_WEEKS):
        crowd = seen_of(one)
        topic = _TOPICS[week % N_SKILLS]
        groups = _groups(crowd, told, policy, seed, week, topic, one.rng)
        told.rounds.append(groups)
        _check(told, groups)
        now_us = _FIRST_US + week * WEEK_US
        contacts = joined(contacts, contacts_from(N, _lines(groups, now_us)))
        for group in groups:
            _learn(one, group, topic)
        contacts = _peers(one, crowd, contacts, told, policy, week)
        seen = np.full((N, N_SKILLS), _ANSWERS_A_WEEK)
        one.right += one.rng.binomial(seen, _p(one.truth))
        one.answers += seen
    told.end = _known(one)
    return told


def compared(
    n_classes: int, *, seed: int = 0, law: str = "explainer", report: Callable[[int], None] = lambda _n: None
) -> dict[str, list[dict[str, float]]]:
    """The figures of each policy in the same classes, class by class."""
    told: dict[str, list[dict[str, float]]] = {policy: [] for policy in POLICIES}
    for number in range(n_classes):
        for policy in POLICIES:
            told[policy].append(term(seed + number, policy, law).figures())
        report(number)
    return told


def interval(values: Floats, *, seed: int = 0) -> tuple[float, float, float]:
    """The mean and the ends of its 95 % interval, by bootstrap over classes."""
    means = values[np.random.default_rng(seed).integers(0, len(values), (2_000, len(values)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def table(told: dict[str, list[dict[str, float]]]) -> str:
    """Both policies and their paired difference, in Markdown."""
    rows = ["| | trailmate | random pairing | difference |", "|--|--:|--:|--:|"]
    for name in told["trailmate"][0]:
        own, other = (np.array([figures[name] for figures in told[policy]]) for policy in POLICIES)
        mean, low, high = interval(own - other)
        told_of = f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"
        rows.append(f"| {name.replace('_', ' ')} | {own.mean():.3f} | {other.mean():.3f} | {told_of} |")
    return "\n".join(rows)


def _groups(
    crowd: Crowd, told: Term, policy: str, seed: int, week: int, topic: int, rng: np.random.Generator
) -> list[list[int]]:
    """Groups of four of all who take part; those kept apart are, whoever makes them."""
    there = [i for i in range(N) if i != OPTED_OUT]
    if policy == "random":
        while True:
            order = rng.permutation(there)
            groups = [sorted(int(i) for i in part) for part in np.array_split(order, len(there) // N_IN_GROUP)]
            if not any(set(APART) <= set(group) for group in groups):
                return groups
    ids = crowd.learner_ids
    past = tuple(
        Met(str(w), str(g), ids[i])
        for w, r in enumerate(told.rounds[-ROUNDS_APART:])
        for g, group in enumerate(r)
        for i in group
    )
    rules = [Rule(index=0, verb="keep_apart", hard=True, learners=tuple(ids[i] for i in APART))]
    rules += [Rule(index=1, verb="avoid_repeat", hard=False, past=past, after=True)] if past else []
    known = known_of_crowd(crowd, there)
    known = replace(
        known, skills=known.skills[topic : topic + 1], mastery=known.mastery[:, [topic]], ready=known.ready[:, [topic]]
    )
    roster, spec = plan_of("mixed", known, Size(N_IN_GROUP), rules)
    found = propose(roster, in_order(spec, roster), Effort(seed=seed + week, steps=_STEPS))
    assert isinstance(found, Grouping)
    best = found.proposals[0]
    return [[there[i] for i in np.flatnonzero(best.groups == g)] for g in range(best.layout.n_groups)]


def _peers(one: Class, crowd: Crowd, contacts: Contacts, told: Term, policy: str, week: int) -> Contacts:
    """Everybody who takes part asks one other, in an order of the week; what happens counts for the next who asks."""
    now_us = _FIRST_US + week * WEEK_US + 2 * DAY_US
    for turn, i in enumerate(one.rng.permutation(N)):
        i, at_us = int(i), now_us + turn * 60_000_000
        if i == OPTED_OUT:
            continue
        if policy == "random":
            free = [j for j in range(N) if j not in (i, OPTED_OUT) and {i, j} != set(APART)]
            j, topics = int(one.rng.choice(free)), []
        else:
            may = allowed(crowd, i, _people(crowd), contacts, now_us=at_us)
            found = peers_for(crowd, i, Wish(k=1), allowed=may, contacts=contacts, affinity=USUAL, now_us=at_us)
            if not found:
                told.left_alone += 1
                continue
            j, topics = found[0].row, [x for x in (found[0].topic, found[0].in_return) if x is not None]
            told.broken += {i, j} == set(APART) or j == OPTED_OUT
        skills = [crowd.abilities.skills.index(x) for x in topics] or [_weakest(crowd, i)]
        for skill in skills:
            _learn(one, [i, j], skill, 1.0 / len(skills))
        told.asked.append((week, i, j))
        lines = [(i, j, at_us, YES, float("nan")), (j, i, at_us, HELPED, float("nan"))]
        contacts = joined(contacts, contacts_from(N, lines))
    return contacts


def _learn(one: Class, together: Sequence[int], skill: int, hours: float = 1.0) -> None:
    """Everybody closes the share of what is missing that the law says; less where what the skill needs is unknown."""
    before = one.truth[:, skill].copy()
    for i in together:
        others = np.array([before[j] for j in together if j != i])
        ready = min((one.truth[i, k] for k in one.needs[skill]), default=1.0)
        share = one.law(float(before[i]), others)
        one.truth[i, skill] += hours * share * one.rate[i] * (0.2 + 0.8 * ready) * (1.0 - before[i])


def _weakest(crowd: Crowd, row: int) -> int:
    a = crowd.abilities
    return int(np.where(a.ready[row], np.nan_to_num(a.mastery[row], nan=0.5), np.inf).argmin())


def _people(crowd: Crowd) -> People:
    apart = Pair(learners=(crowd.learner_ids[APART[0]], crowd.learner_ids[APART[1]]), hard=True, rule_ids=("apart",))
    return People(
        apart=(apart,), together=(), locks=(), company=(), size=None, helping={}, approval={}, conflict=()
    )  # fmt: skip


def _check(told: Term, groups: Sequence[Sequence[int]]) -> None:
    placed = sorted(i for group in groups for i in group)
    told.broken += sum(set(APART) <= set(group) for group in groups) + (OPTED_OUT in placed)
    told.left_alone += sum(len(group) == 1 for group in groups) + (N - 1 - len(set(placed)))


def _lines(groups: Sequence[Sequence[int]], at_us: int) -> list[tuple[int, int, int, int, float]]:
    return [(i, j, at_us, TOGETHER, float("nan")) for group in groups for i in group for j in group if i != j]


def _known(one: Class) -> float:
    return float(np.delete(one.truth, OPTED_OUT, axis=0).mean())


def _p(truth: Floats) -> Floats:
    return _GUESS + (1.0 - _GUESS - _SLIP) * truth


def main(arguments: list[str] | None = None) -> int:
    """Compare and print; exit code 0."""
    parser = argparse.ArgumentParser(prog="python -m experiments.simulation.term", description=__doc__)
    parser.add_argument("--classes", type=int, default=20, help="how many classes (20)")
    parser.add_argument("--seed", type=int, default=0, help="of the first class (0)")
    parser.add_argument(
        "--law", choices=LAWS, default="explainer", help="how those who work together learn (explainer)"
    )
    parser.add_argument("--picture", type=Path, metavar="PNG", help="also draw the first class and all figures")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    told = compared(given.classes, seed=given.seed, law=given.law)
    if given.picture:
        from experiments.simulation.term_picture import draw_term

        draw_term({policy: term(given.seed, policy, given.law) for policy in POLICIES}, told, given.picture)
    sys.stdout.write((json.dumps(told) if given.json else table(told)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
