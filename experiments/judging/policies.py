"""The peers: policies any school could use today, each as strong as its source says.

All but `RandomChoice` and `Oracle` keep to the goal and what must be known before it.
"""

import math
from collections import Counter

from engine.domain.resource import Resource
from experiments.judging.tracker import PRIOR, masteries
from experiments.judging.view import View

MASTERED = 0.85


class RandomChoice:
    """Any resource of the catalogue, each as likely."""

    def choose(self, view: View) -> str:
        """The id of a resource."""
        return _any_of(view, view.choices.resources)


class Popularity:
    """What was taken up most in the log, each once before any is repeated."""

    def choose(self, view: View) -> str:
        """The id of a resource."""
        counts = view.choices.popularity
        return max(view.least_used(view.useful()), key=lambda r: counts.get(r.resource_id, 0)).resource_id


class PlannedOrder:
    """The catalogue's own order by position, each resource once before any is repeated."""

    def choose(self, view: View) -> str:
        """The id of a resource."""
        return view.least_used(view.useful())[0].resource_id


class MasteryThreshold:
    """Mastery learning: the first skill not yet mastered, prerequisites first, through its least used resource.

    Once all is mastered: the skill of the goal that is known least.
    """

    def choose(self, view: View) -> str:
        """The id of a resource."""
        known = masteries(view.events, view.choices.by_id)
        taught = [s for s in view.closure if s in view.choices.of_skill]
        ahead = [s for s in taught if known.get(s, PRIOR) < MASTERED]
        least = min((s for s in taught if s in view.goal), key=lambda s: known.get(s, PRIOR), default=None)
        skills = ahead[:1] or ([least] if least is not None else [])
        return view.least_used(view.for_skills(skills))[0].resource_id


class ReadyWalk:
    """A walk over what the learner is ready for: any of the least used resources of skills that are not mastered and
    whose prerequisites are.
    """

    def choose(self, view: View) -> str:
        """The id of a resource."""
        known = masteries(view.events, view.choices.by_id)
        mastered = {s for s in view.closure if known.get(s, PRIOR) >= MASTERED or s not in view.choices.of_skill}
        ready = [
            s for s in view.closure if s not in mastered and mastered.issuperset(view.choices.prerequisites.get(s, ()))
        ]
        return _any_of(view, view.least_used(view.for_skills(ready or list(view.goal))))


class Oracle:
    """What brings most per expected minute at this very step, as the world itself tells; it does not look further.

    Where nothing brings anything at once, behind a closed prerequisite or with all known, it spends the fewest minutes
    on what the goal needs, without sticking to one resource: that makes it strongest both a step and a minute.
    """

    def choose(self, view: View) -> str:
        """The id of a resource."""
        gain, usual, needed = view.gain, _usual_minutes(view), set(view.closure)
        assert gain is not None, "the judge gives the oracle what the world tells"
        used = Counter(e.resource_id for e in view.events)

        def worth(resource: Resource) -> tuple[float, bool, float]:
            minutes = resource.minutes or usual
            at_once = max(gain(resource.resource_id), 0.0) / minutes
            return at_once, not needed.isdisjoint(resource.skills), -minutes * (1 + used[resource.resource_id])

        return max(view.choices.resources, key=worth).resource_id


def _usual_minutes(view: View) -> float:
    """What stands in for minutes the catalogue does not tell: the geometric mean of those it does."""
    told = [math.log(r.minutes) for r in view.choices.resources if r.minutes]
    return math.exp(sum(told) / len(told)) if told else 1.0


def _any_of(view: View, resources: "list[Resource] | tuple[Resource, ...]") -> str:
    return resources[int(view.rng.integers(len(resources)))].resource_id
