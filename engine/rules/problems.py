"""What rules are checked against at the desk, and what is said of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from engine.rules.matching import Contents
from engine.rules.scope import Who

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a teacher should know before a rule is saved.

    With `refuses` the rule cannot be kept beside the others and must not be saved as it is; else it is a warning.
    `rule_ids` are the fewest rules it takes.
    """

    kind: str
    refuses: bool
    rule_ids: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What rules are checked against: the catalogue, the learners with their classes and groups, the graph of skills.

    `class_ids` and `group_ids` are known beside those of the roster. `mastery` of skills and `chances` of success
    `(n_resources,)`, NaN where unknown, by learner, where they are at hand.
    """

    contents: Contents
    roster: tuple[Who, ...]
    zone: ZoneInfo
    now_us: int
    graph: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    class_ids: frozenset[str] = frozenset()
    group_ids: frozenset[str] = frozenset()
    mastery: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    chances: Mapping[str, Floats] = field(default_factory=dict)
