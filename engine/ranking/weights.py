"""What each term of the objective counts; the numbers stand in the settings of a bundle."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveWeights:
    """The most each term adds, on one scale: the best gain per minute among the candidates counts `gain`.

    With a goal, what others take up counts little beside what the goal needs; without one, both count alike. A goal may
    need what is hard; without one there is no reason to leave the success band.
    """

    gain: float = 1.0
    relevance: float = 0.05
    gain_without_goal: float = 0.5
    relevance_without_goal: float = 0.5
    challenge: float = 0.3
    challenge_without_goal: float = 0.5
    challenge_after_failures: float = 2.0
    information: float = 0.02
    information_at_placement: float = 0.2
    review: float = 0.3
    check: float = 0.5
    style: float = 0.1
    voice: float = 0.5
    approach: float = 0.3
    repeat: float = 0.15
    minutes: float = 0.3

    def as_json(self) -> dict[str, float]:
        """As a bundle's settings carry them."""
        return asdict(self)


def weights_from(settings: Mapping[str, Any]) -> ObjectiveWeights:
    """The weights in the part `objective` of a bundle's settings; the usual ones where it names none."""
    known = {f.name for f in fields(ObjectiveWeights)}
    return ObjectiveWeights(**{k: float(v) for k, v in settings.get("objective", {}).items() if k in known})
