"""Groups for a class: the recipe from a roster and a specification to proposals, or to the rules in conflict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import lgamma, log

import numpy as np

from engine.collaborators import exact
from engine.collaborators.bounds import bound_of
from engine.collaborators.conflict import Conflict, conflict_of
from engine.collaborators.counts import Count, Groups, counts_of, least_weight, numbered, objective_of, weighted_broken
from engine.collaborators.feasible import Verdict, verdict_on
from engine.collaborators.kernels import Annealing, Prepared, anneal, enumerated
from engine.collaborators.problem import Problem, problem_of
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Layout, Rule, Spec, layouts_of
from engine.domain.errors import Unavailable

# Steps a second of search buys: a fifth or less of what one core does, so that the clock hardly ever decides.
_STEPS_PER_SECOND = 400_000
# A class larger than usual gets more, as much as leaves room before the limit.
_USUAL, _LARGER = 100, 3.0
_FIRST_STEPS, _LONGEST = 600, 20_000
_RUNS = 4
# Beyond the reach of exact methods the search itself counts uneven means so much more than the objective does.
_LEVELLING = 8.0
_SHORT_RUNS, _SHORT_STEPS = 10, 4
_PLACES = 400_000
_MODEL, _STEPS_PER_NODE = 200, 3_000
_HOT, _TEPID, _COLD, _PENALTY = 0.5, 0.15, 0.002, 8.0
_CLOSE = 1e-9
_LAYOUTS = 6
# Two proposals that put more than this share of pairs together alike are told as one.
_ALIKE = 0.8
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


@dataclass(frozen=True, slots=True)
class Proposal:
    """One grouping: `(n,)` group numbers from 0, how each rule fares, and what that comes to.

    `place`: of its layout among those the size allows.
    """

    groups: Groups
    layout: Layout
    counts: tuple[Count, ...]
    objective: float
    broken: float
    place: int = 0


@dataclass(frozen=True, slots=True)
class Grouping:
    """The proposals, the best first; none has a smaller objective than `bound`.

    `seconds` as the clock told, `first_seconds` until the first proposal stood. `limited`: the clock, not the work,
    ended the search, so another machine may find other groups.
    """

    proposals: tuple[Proposal, ...]
    bound: float
    seconds: float
    first_seconds: float
    steps: int
    seed: int
    limited: bool

    @property
    def proved(self) -> bool:
        """There is no better grouping than the first."""
        return self.proposals[0].objective <= self.bound + _CLOSE


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
    )


class _Search:
    """Annealing from several starts, whatever is cheaper first; every grouping found is kept to choose from."""

    def __init__(self, roster: Roster, spec: Spec, effort: Effort, left: Clock, report: Report) -> None:
        self.roster, self.spec, self.effort, self.left, self.report = roster, spec, effort, left, report
        self.found: dict[bytes, Proposal] = {}
        self.bound, self.steps, self.first_seconds, self.limited = 0.0, 0, 0.0, False
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
            self._add(self._anneal(problems[one.layout], one.groups, first), one.layout)
        self.first_seconds = self.effort.seconds - self.left()
        if len(tried) == len(verdict.possible) and self._enumerate(plain):
            return
        layout = self.best.layout
        start = next(one.groups for one in tried if one.layout == layout)
        self._rounds(problems[layout], start, layout)
        self._polish(problems[layout], layout)
        self._exactly(problems[layout], layout, alone=len(verdict.possible) == 1)
        self._others(problems[layout], start, layout)

    def ranked(self) -> tuple[Proposal, ...]:
        """The best, then the best of those that differ from it and from one another; like ones where none is left."""
        wanted, ranked = self.effort.n_proposals, sorted(self.found.values(), key=_rank)
        chosen, similar = ranked[:1], list[Proposal]()
        for one in ranked[1:]:
            if len(chosen) == wanted:
                break
            alike = max(_alike(one.groups, other.groups) for other in chosen)
            (similar if alike > _ALIKE else chosen).append(one)
        return tuple(sorted(chosen + similar[: wanted - len(chosen)], key=_rank))

    @property
    def best(self) -> Proposal:
        """The best so far."""
        return min(self.found.values(), key=_rank)

    def _done(self) -> bool:
        enough = len(self.found) >= self.effort.n_proposals
        return enough and self.best.objective <= self.bound + _CLOSE

    def _enumerate(self, problems: dict[Layout, Problem]) -> bool:
        """Look at every grouping of a tiny class: whether the best of all is known now."""
        worth = all(_many(len(self.roster), layout) <= log(_PLACES) for layout in problems)
        worth = worth and self.effort.n_proposals == 1
        best = []
        for layout, problem in problems.items():
            found, seen = enumerated(Prepared(problem), _PLACES) if worth else (None, False)
            if found is None or not seen:
                return False
            best.append(self._add(found.groups, layout))
        self.bound = max(self.bound, min(one.objective for one in best))
        return True

    def _rounds(self, prepared: Prepared, start: Groups, layout: Layout) -> None:
        whole = self.whole
        each = max(min(whole // (_RUNS + 1), _LONGEST * len(self.roster)), 1)
        while self.steps + each < whole and not self._done():
            if self.left() <= 0:
                self.limited = True
                return
            self.report("grouping", min(self.steps / whole, 1.0))
            self._add(self._anneal(prepared, start, each), layout)

    def _polish(self, prepared: Prepared, layout: Layout) -> None:
        """A walk about the best, too cold for a break more: what is finer gets better."""
        if self.steps < self.whole and not self._done() and not self.limited:
            self._add(
                self._anneal(prepared, self.best.groups, self.whole - self.steps, hot=_TEPID * self.least), layout
            )

    def _exactly(self, prepared: Prepared, layout: Layout, *, alone: bool) -> None:
        """A small class as a program: a better bound, and a better grouping if there is one."""
        nodes = self.whole // _STEPS_PER_NODE if exact.size_of(self.roster, self.spec, layout) <= _MODEL else 0
        if not nodes or self.best.broken <= self.bound + _CLOSE or self.left() <= 0:
            return
        self.report("proving", 0.95)
        told = exact.solved(self.roster, self.spec, layout, exact.Limits(self.left(), nodes))
        if alone:
            self.bound = max(self.bound, told.bound - 1e-6)
        if told.groups is not None and told.finished:
            self._add(told.groups, layout)
            self._add(
                self._anneal(prepared, told.groups, _FIRST_STEPS * len(self.roster), hot=_TEPID * self.least), layout
            )

    def _others(self, prepared: Prepared, start: Groups, layout: Layout) -> None:
        """Where every long search ends in the same grouping, short ones that end elsewhere."""
        for _ in range(_SHORT_RUNS * self.effort.n_proposals):
            if len(self.found) >= self.effort.n_proposals or self.left() <= 0:
                return
            self._add(self._anneal(prepared, start, _SHORT_STEPS * len(self.roster)), layout)

    def _anneal(self, prepared: Prepared, start: Groups, steps: int, *, hot: float | None = None) -> Groups:
        how = Annealing(
            seed=int(self.draws.integers(2**63)),
            steps=steps,
            hot=hot or _HOT * self.scale,
            cold=_COLD * self.least,
            penalty=_PENALTY * self.scale,
        )
        self.steps += steps
        return anneal(prepared, start, how).groups

    def _add(self, groups: Groups, layout: Layout) -> Proposal:
        groups = numbered(groups, self.spec, layout.n_groups)
        counts = tuple(counts_of(self.roster, self.spec, groups, layout.n_groups))
        proposal = Proposal(
            groups, layout, counts, objective_of(counts, self.spec), weighted_broken(counts), self.places[layout]
        )
        return self.found.setdefault(groups.tobytes(), proposal)


def _levelled(problem: Problem) -> Problem:
    """The problem as it is searched: uneven means count more than in the objective, still less than a break."""
    return replace(problem, numbers=replace(problem.numbers, finer=problem.numbers.finer * _LEVELLING))


def _rank(one: Proposal) -> tuple[float, float, int, bytes]:
    return round(one.broken, 9), round(one.objective, 9), one.place, one.groups.tobytes()


def _alike(one: Groups, other: Groups) -> float:
    """The share of pairs of one grouping that the other has too."""
    same, too = one[:, None] == one[None, :], other[:, None] == other[None, :]
    pairs = int(same.sum()) - len(one)
    return (int((same & too).sum()) - len(one)) / pairs if pairs else 1.0


def _many(n: int, layout: Layout) -> float:
    """The logarithm of about how many groupings there are, of groups that differ in nothing but their number."""
    k, share = layout.n_groups, n / layout.n_groups
    return lgamma(n + 1) - k * lgamma(share + 1) - lgamma(k + 1)


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
