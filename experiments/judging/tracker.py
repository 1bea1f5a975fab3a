"""Mastery as Bayesian knowledge tracing sees it: what the peers of this judge know of a learner.

Corbett & Anderson (1995), one chain of two states for each skill. The parameters are not fitted to any world: a guess
of .2 and a slip of .1 lie inside the bounds under which the model keeps its meaning (Baker, Corbett & Aleven 2008: .3
and .1), prior and chance of learning are middling values of published fits.
"""

from collections.abc import Iterable, Mapping

from engine.domain.interaction import Interaction
from engine.domain.resource import Resource

PRIOR, LEARN, GUESS, SLIP = 0.3, 0.15, 0.2, 0.1


def masteries(events: Iterable[Interaction], by_id: Mapping[str, Resource]) -> dict[str, float]:
    """P(known) of each skill the learner worked on; any other has the prior."""
    known: dict[str, float] = {}
    for event in events:
        resource = by_id.get(event.resource_id or "")
        for skill in dict.fromkeys(event.skills or (resource.skills if resource else ())):
            known[skill] = after(known.get(skill, PRIOR), event.outcome)
    return known


def after(p: float, outcome: float | None) -> float:
    """P(known) after one step; a partial outcome is so much of a right and so much of a wrong answer."""
    if outcome is not None:
        right = p * (1 - SLIP) / (p * (1 - SLIP) + (1 - p) * GUESS)
        wrong = p * SLIP / (p * SLIP + (1 - p) * (1 - GUESS))
        p = outcome * right + (1 - outcome) * wrong
    return p + (1 - p) * LEARN
