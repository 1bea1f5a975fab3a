"""ZPDES: a bandit that follows learning progress inside the zone of proximal development.

Clement, Roy, Oudeyer & Lopes (2015), Multi-Armed Bandits for Intelligent Tutoring Systems, JEDM 7(2). The arms are the
skills of the goal's closure. Reward of an arm: success in the newer half of its last `WINDOW` answers less success in
the older half. Weight: `KEPT` · weight + (1 - `KEPT`) · reward. Drawn: in proportion to the weights, mixed with
`UNIFORM`. An arm opens when each of its prerequisites succeeded above `OPENS` over half a window, and closes at
`CLOSES` over a whole one. Parameters as in the authors' own library (KidLearn): 6, .2, .05, .5, .8.
"""

from collections.abc import Sequence

import numpy as np

from experiments.judging.view import View

WINDOW, KEPT, UNIFORM, OPENS, CLOSES = 6, 0.2, 0.05, 0.5, 0.8
# What an arm is worth before anything is known of it, and the least it may be worth while it is open.
FIRST, LEAST = 0.5, 0.01


class Zpdes:
    """The bandit over skills; within a skill any of the least used resources."""

    def choose(self, view: View) -> str:
        """The id of a resource."""
        answers, seen = _answers(view)
        taught = [s for s in view.closure if s in view.choices.of_skill]
        opened = [
            s
            for s in taught
            if not _succeeds(answers[s], WINDOW, CLOSES)
            and all(p not in answers or _passed(answers[p], seen[p]) for p in view.choices.prerequisites.get(s, ()))
        ]
        arms = opened or [s for s in taught if s in view.goal] or taught
        if not arms:
            return view.useful()[int(view.rng.integers(len(view.useful())))].resource_id
        worth = np.array([max(weight_of(answers[s]), LEAST) for s in arms])
        chances = (1 - UNIFORM) * worth / worth.sum() + UNIFORM / len(arms)
        skill = arms[int(view.rng.choice(len(arms), p=chances / chances.sum()))]
        least = view.least_used(view.for_skills([skill]))
        return least[int(view.rng.integers(len(least)))].resource_id


def weight_of(answers: Sequence[float]) -> float:
    """The weight of an arm after these answers, the oldest first."""
    weight = FIRST
    for n in range(2, len(answers) + 1):
        recent = answers[max(0, n - WINDOW) : n]
        half = len(recent) // 2
        reward = float(np.mean(recent[half:]) - np.mean(recent[:half]))
        weight = KEPT * weight + (1 - KEPT) * reward
    return weight


def _answers(view: View) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Outcomes on each skill of the closure that is taught, and how often it was worked on at all."""
    answers: dict[str, list[float]] = {s: [] for s in view.closure if s in view.choices.of_skill}
    seen = dict.fromkeys(answers, 0)
    for event in view.events:
        resource = view.choices.by_id.get(event.resource_id or "")
        for skill in dict.fromkeys(event.skills or (resource.skills if resource else ())):
            if skill in answers:
                seen[skill] += 1
                answers[skill] += [] if event.outcome is None else [event.outcome]
    return answers, seen


def _succeeds(answers: Sequence[float], n: int, above: float) -> bool:
    return len(answers) >= n and float(np.mean(answers[-n:])) > above


def _passed(answers: Sequence[float], seen: int) -> bool:
    """Whether what comes after may open; a skill whose resources are never scored opens it by being worked on."""
    return _succeeds(answers, WINDOW // 2, OPENS) or (not answers and seen >= WINDOW // 2)
