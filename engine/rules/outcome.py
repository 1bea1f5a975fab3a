"""What the last stage is told, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.domain.decision import RuleHeld
from engine.learner.tracing import MASTERED
from engine.rules.matching import Mask

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_NONE_KNOWN: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the stage has to know of the learner's day.

    Minutes already spent today and this week, in the school's time zone. `mastery` of the skills in question by id;
    one that is missing or NaN is not known. `frozen`: rows of the path that a freeze keeps to, None without one.
    """

    spent_today: float = 0.0
    spent_this_week: float = 0.0
    mastery: Mapping[str, float] = field(default_factory=lambda: _NONE_KNOWN)
    frozen: frozenset[int] | None = None
    mastered_from: float = MASTERED

    def spent(self, limit: str) -> float:
        """Minutes that count against a limit by `day`, `week` or `ceiling`."""
        return self.spent_today if limit == "day" else self.spent_this_week


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """What the engine found for the rows of an admission, `(n,)` each.

    `order`: positions of all rows of its own, best first. `p` of success and expected `minutes`, NaN where unknown.
    `added`: what rules added to the scores, whose span is `scale`. `unready`: rows that wait for a prerequisite, where
    the caller holds such rows back.
    """

    order: Ints
    p: Floats
    minutes: Floats
    added: Floats | None = None
    scale: float = 1.0
    unready: Mask | None = None


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """One slot: a position among the rows, and whose word put it there.

    `origin`: model, teacher (pinned or assigned) or rule (it comes first, or fills a quota). `status`: recommended,
    assigned or required (pinned). `moved` says that the order alone would not have it among what may be shown.
    """

    position: int
    origin: str = "model"
    status: str = "recommended"
    due: str | None = None
    rule_ids: tuple[str, ...] = ()
    moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The slate under the rules, in order.

    `conflict` is the smallest set of hard rules that cannot all hold, or that together leave nothing to show; `message`
    says so in words. With a conflict the slate holds nothing but pinned and assigned work that no rule forbids.
    """

    slate: tuple[Placed, ...]
    verdicts: tuple[RuleHeld, ...]
    conflict: tuple[str, ...] = ()
    message: str | None = None
