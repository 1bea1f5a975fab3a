"""Groups for a class: the recipe from a roster and a specification to proposals, or to the rules in conflict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np

from engine.collaborators import exact
from engine.collaborators.bounds import bound_of, least_finer
from engine.collaborators.conflict import Conflict, conflict_of
from engine.collaborators.counts import (
    Groups,
    counts_of,
    least_weight,
    numbered,
    objective_of,
    parted,
    weighted_broken,
)
from engine.collaborators.every import about_many, every_way
from engine.collaborators.feasible import Verdict, verdict_on
from engine.collaborators.kernels import Annealing, Found, Prepared, anneal, cost_of, enumerated
from engine.collaborators.problem import Problem, problem_of
from engine.collaborators.proposals import CLOSE, Grouping, Proposal, chosen_of, differing, differs, rank
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Layout, Rule, Spec, layouts_of
from engine.collaborators.start import start_of
from engine.domain.errors import Unavailable

# Steps a second of search buys: a fifth or less of what one core does, so that the clock hardly ever decides.
_STEPS_PER_SECOND = 400_000
# A class larger than usual gets more, as much as leaves room before the limit.
_USUAL, _LARGER = 100, 3.0
_FIRST_STEPS, _LONGEST = 600, 20_000
_RUNS = 4
# Beyond the reach of exact methods the search itself counts uneven means so much more than the objective does.
_LEVELLING = 8.0
# For each further proposal so many searches, which share what is left of the work, or a part of it again.
_OTHER_RUNS, _OTHER_SHARE, _FEWEST_STEPS = 10, 4, 4
_PLACES = 400_000
# Where several are wanted, so many places are looked at one by one, and so many groupings kept for each to choose from.
_EVERY_PLACES, _CHOICE = 50_000, 20
_MODEL, _STEPS_PER_NODE = 200, 3_000
_HOT, _TEPID, _COLD, _PENALTY = 0.5, 0.15, 0.002, 8.0
_LAYOUTS = 6
Clock = Callable[[], float]
Report = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to try. The work is counted in steps, so that a faster machine finds the same groups, only earlier.

    `seconds`: what the work is measured by, and the limit of a slow machine. `steps`: the work itself, if it is given.
    """

    seed: int = 0
    seconds: float = 10.0
    steps: int | None = None
    n_proposals: int = 1


def propose(
    roster: Roster,
    spec: Spec,
    effort: Effort,
    *,
    clock: Clock | None = None,
    report: Report | None = None,
) -> Grouping | Conflict:
    """Groups that break no hard rule and soft ones as little as can be found, or the hard rules in conflict.

    `clock` tells seconds; without one there is no limit but the work. The same roster, specification and effort give
    the same groups wherever the clock does not end the search.

    Raises:
        Unavailable: within the limit no grouping was found, nor the proof that there is none.
        BadInput: a column of numbers holds something else.
    """
    began = clock() if clock else 0.0

    def left() -> float:
        return effort.seconds - (clock() - began) if clock else effort.seconds

    verdict = verdict_on(roster, spec, left, seed=effort.seed)
    if not verdict.kept:
        if not verdict.possible:
            return conflict_of(roster, spec, left)
        raise Unavailable(
            "no grouping that keeps all hard rules was found, and none was proved impossible: "
            "allow more seconds, or make a rule soft"
        )
    search = _Search(roster, spec, effort, left, report or (lambda _what, _share: None))
    search.run(verdict)
    return Grouping(
        proposals=search.ranked(),
        bound=search.bound,
        seconds=effort.seconds - left(),
        first_seconds=search.first_seconds,
        steps=search.steps,
        seed=effort.seed,
        limited=search.limited,
        n_wanted=effort.n_proposals,
        n_exist=search.n_exist,
    )


class _Search:
    """Annealing from several starts, whatever is cheaper first; every grouping found is kept to choose from."""

    def __init__(self, roster: Roster, spec: Spec, effort: Effort, left: Clock, report: Report) -> None:
        self.roster, self.spec, self.effort, self.left, self.report = roster, spec, effort, left, report
        self.found: dict[bytes, Proposal] = {}
        self.bound, self.steps, self.first_seconds, self.limited = 0.0, 0, 0.0, False
        self.n_exist: int | None = None
        self.scale = max((rule.weight for rule in spec.rules if not rule.hard), default=1.0)
        self.least = least_weight(spec)
        self.places = {layout: at for at, layout in enumerate(layouts_of(spec.size, len(roster)))}
        larger = min(max(len(roster) / _USUAL, 1.0), _LARGER)
        self.whole = effort.steps or int(effort.seconds * _STEPS_PER_SECOND * larger)
        self.draws = np.random.default_rng(effort.seed)

    def run(self, verdict: Verdict) -> None:
        """From one grouping for each layout to the best there is work for."""
        n, tried = len(self.roster), verdict.kept[:_LAYOUTS]
        self.bound = min(bound_of(self.roster, self.spec, layout) for layout in verdict.possible)
        plain = {one.layout: problem_of(self.roster, self.spec, one.layout) for one in tried}
        large = any(exact.size_of(self.roster, self.spec, layout) > _MODEL for layout in plain)
        problems = {at: Prepared(_levelled(one) if large else one) for at, one in plain.items()}
        first = min(_FIRST_STEPS * n, self.whole)
        for one in tried:
            self._add(self._anneal(problems[one.layout], one.groups, first).groups, one.layout)
        self.first_seconds = self.effort.seconds - self.left()
        every, alone = len(tried) == len(verdict.possible), self.effort.n_proposals == 1
        if every and (self._look_at_all(plain) or (self._enumerate(plain) and alone)):
            return
        layout = self.best.layout
        start = next(one.groups for one in tried if one.layout == layout)
        self._rounds(problems[layout], start, layout)
        self._polish(problems[layout], layout)
        self._exactly(problems[layout], layout, alone=len(verdict.possible) == 1)
        self._others(problems[layout], layout)

    def ranked(self) -> tuple[Proposal, ...]:
        """As many proposals as are wanted, or as there are."""
        return chosen_of(self.found.values(), self.effort.n_proposals)

    @property
    def best(self) -> Proposal:
        """The best so far."""
        return min(self.found.values(), key=rank)

    def _done(self) -> bool:
        return self.best.objective <= self.bound + CLOSE

    def _enumerate(self, problems: dict[Layout, Problem]) -> bool:
        """Look at every grouping of a tiny class: whether the best of all is known now."""
        worth = all(about_many(len(self.roster), layout) <= log(_PLACES) for layout in problems)
        best = []
        for layout, problem in problems.items():
            found, seen = enumerated(Prepared(problem), _PLACES) if worth else (None, False)
            if found is None or not seen:
                return False
            best.append(self._add(found.groups, layout))
        self.bound = max(self.bound, min(one.objective for one in best))
        return True

    def _look_at_all(self, problems: dict[Layout, Problem]) -> bool:
        """Where several are wanted and there are few, the best of all, and how many there are."""
        if self.effort.n_proposals == 1:
            return False
        kept = list[tuple[float, int, bytes, Groups, Layout]]()
        for layout, problem in problems.items():
            ways = every_way(problem, places=_EVERY_PLACES // len(problems))
            if ways is None:
                return False
            prepared = Prepared(problem)
            for groups in ways:
                hard, soft = cost_of(prepared, groups)
                if hard < 0.5:
                    kept.append((soft + problem.constant, self.places[layout], groups.tobytes(), groups, layout))
        kept.sort(key=lambda one: one[:3])
        for _, _, _, groups, layout in kept[: _CHOICE * self.effort.n_proposals]:
            self._add(groups, layout)
        self.n_exist = len({parted(one[3]) for one in kept})
        self.bound = max(self.bound, min(one.objective for one in self.found.values()))
        return True

    def _rounds(self, prepared: Prepared, start: Groups, layout: Layout) -> None:
        whole = self.whole
        each = max(min(whole // (_RUNS + 1), _LONGEST * len(self.roster)), 1)
        while self.steps + each < whole and not self._done():
            if self.left() <= 0:
                self.limited = True
                return
            self.report("grouping", min(self.steps / whole, 1.0))
            self._add(self._anneal(prepared, start, each).groups, layout)

    def _polish(self, prepared: Prepared, layout: Layout) -> None:
        """A walk about the best, too cold for a break more: what is finer gets better."""
        if self.steps < self.whole and not self._done() and not self.limited:
            told = self._anneal(prepared, self.best.groups, self.whole - self.steps, hot=_TEPID * self.least)
            self._add(told.groups, layout)

    def _exactly(self, prepared: Prepared, layout: Layout, *, alone: bool) -> None:
        """A small class as a program: a better bound, and a better grouping if there is one."""
        nodes = self.whole // _STEPS_PER_NODE if exact.size_of(self.roster, self.spec, layout) <= _MODEL else 0
        if not nodes or self.best.broken <= self.bound + CLOSE or self.left() <= 0:
            return
        self.report("proving", 0.95)
        told = exact.solved(self.roster, self.spec, layout, exact.Limits(self.left(), nodes))
        if alone:
            # The program knows of breaks alone.
            self.bound = max(self.bound, told.bound - 1e-6 + least_finer(self.roster, self.spec, layout))
        if told.groups is not None and told.finished:
            self._add(told.groups, layout)
            near = self._anneal(prepared, told.groups, _FIRST_STEPS * len(self.roster), hot=_TEPID * self.least)
            self._add(near.groups, layout)

    def _others(self, prepared: Prepared, layout: Layout) -> None:
        """Where several are wanted, searches from elsewhere, until enough that differ are as good as the best."""
        wanted, n = self.effort.n_proposals, len(self.roster)
        runs = _OTHER_RUNS * wanted if wanted > 1 else 0
        work = max(self.whole - self.steps, self.whole // _OTHER_SHARE)
        each = min(max(work // max(runs, 1), _FEWEST_STEPS * n), _LONGEST * n)
        good = differing((one for one in self.found.values() if one.broken <= self.best.broken + CLOSE), wanted)
        # Beyond as many as are wanted, better ones are looked for where the work is enough for good searches.
        worth = work // (_FIRST_STEPS * n)
        for run in range(runs):
            if len(good) >= wanted or (run >= worth and len(self.found) >= wanted):
                return
            if self.left() <= 0:
                self.limited = True
                return
            self.report("looking for others", run / runs)
            start = start_of(prepared.problem, self.draws)
            told = None if start is None else self._anneal(prepared, start, each)
            if told is None or told.hard > 0.5:
                continue
            n_before, one = len(self.found), self._add(told.groups, layout)
            if len(self.found) == n_before:
                # A search so long ends where others did: shorter ones may end elsewhere.
                each = max(each // 2, _FEWEST_STEPS * n)
            if one.broken < good[0].broken - CLOSE:
                good = [one]
            elif one.broken <= good[0].broken + CLOSE and differs(one, good):
                good.append(one)

    def _anneal(self, prepared: Prepared, start: Groups, steps: int, *, hot: float | None = None) -> Found:
        how = Annealing(
            seed=int(self.draws.integers(2**63)),
            steps=steps,
            hot=hot or _HOT * self.scale,
            cold=_COLD * self.least,
            penalty=_PENALTY * self.scale,
        )
        self.steps += steps
        return anneal(prepared, start, how)

    def _add(self, groups: Groups, layout: Layout) -> Proposal:
        groups = numbered(groups, self.spec, layout.n_groups)
        counts = tuple(counts_of(self.roster, self.spec, groups, layout.n_groups))
        proposal = Proposal(
            groups, layout, counts, objective_of(counts, self.spec), weighted_broken(counts), self.places[layout]
        )
        # Parted alike, they are one grouping; of several numberings the better one stands.
        parts = parted(groups)
        held = self.found.get(parts)
        if held is None or rank(proposal) < rank(held):
            self.found[parts] = proposal
        return self.found[parts]


def _levelled(problem: Problem) -> Problem:
    """The problem as it is searched: uneven means count more than in the objective, still less than a break."""
    return replace(problem, numbers=replace(problem.numbers, finer=problem.numbers.finer * _LEVELLING))


def locked(proposal: Proposal, roster: Roster, learner_ids: Sequence[str]) -> tuple[Rule, ...]:
    """Hard locks that hold these learners where a proposal put them, to run the rest again.

    Their indexes are below zero: they are no rules of the specification.
    """
    rows = roster.rows()
    groups = sorted({int(proposal.groups[rows[one]]) for one in learner_ids if one in rows})
    return tuple(
        Rule(
            index=-1 - at,
            verb="lock",
            hard=True,
            learners=tuple(one for one in learner_ids if one in rows and proposal.groups[rows[one]] == g),
            group=g + 1,
        )
        for at, g in enumerate(groups)
    )
