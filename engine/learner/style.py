"""Which formats a learner turns to more often than what was on offer explains; a tie-breaker, never a type."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from engine.domain.history import NO_TIME
from engine.domain.interaction import RESOURCE_KINDS

HALF_LIFE_US = 30 * 86_400_000_000
# The prior weighs as much as this many engagements.
PRIOR_EVENTS = 20.0
# Least share of the prior: a format nobody has met yet is rare, not impossible.
LEAST_PRIOR = 0.001
# Each declared format stands at least this many times above the next.
DECLARED_LEAD = 1.5
# Going through with a resource or picking it speaks for its format. An opened page does not yet, and neither does a
# start (its end is counted); a rating may be a bad one.
POSITIVE_KINDS = RESOURCE_KINDS - {"opened", "started", "rated"}


@dataclass(frozen=True, slots=True)
class Style:
    """Decayed engagements per format, and those expected had the learner no preference; `Style()` knows nothing.

    `formats` ascending; `engaged` and `expected` beside them, in events; `at_us` when both were last decayed. To forget
    what was inferred, start again from `Style()`.
    """

    formats: tuple[str, ...] = ()
    engaged: tuple[float, ...] = ()
    expected: tuple[float, ...] = ()
    at_us: int = NO_TIME


def style_after(
    style: Style,
    *,
    format: str,  # noqa: A002 - the domain's word
    kind: str,
    shown: Sequence[str],
    prior: Mapping[str, float],
    at_us: int,
) -> Style:
    """The style after one more event with a resource of this format; unchanged unless `kind` is a positive one.

    The engagement adds 1 to its format, and 1 in all to what was expected: over the formats `shown` together and the
    one taken, or over all formats where nothing was shown, each by its share of `prior` (the mix of the class or
    course, any positive weights; a format shown twice counts once, since the mix knows how common it is). Weights
    halve every 30 days; an event that arrives late is added as what would be left of it, and nothing ever grows.
    """
    if kind not in POSITIVE_KINDS:
        return style
    now_us = max(style.at_us, at_us)
    kept, added = _decay(style.at_us, now_us), _decay(at_us, now_us)
    chances = _floored(prior, {format, *(shown or prior)})
    engaged = dict(zip(style.formats, style.engaged, strict=True))
    expected = dict(zip(style.formats, style.expected, strict=True))
    formats = tuple(sorted(engaged.keys() | chances.keys()))
    return Style(
        formats,
        tuple(kept * engaged.get(f, 0.0) + added * (f == format) for f in formats),
        tuple(kept * expected.get(f, 0.0) + added * chances.get(f, 0.0) for f in formats),
        now_us,
    )


def format_shares(
    style: Style, prior: Mapping[str, float], now_us: int, declared: Sequence[str] = ()
) -> dict[str, float]:
    """How likely each format is the learner's next, by format ascending; the shares sum to 1.

    Each share of the prior is multiplied by (20 prior + engaged) / (20 prior + expected): without anything shown this
    is the mean of a Dirichlet-multinomial. What the learner declared (most wanted first) overrides this: each declared
    format is lifted to 1.5 times the next, the last of them to 1.5 times the best of the rest, whose proportions stay.
    """
    kept = _decay(style.at_us, now_us)
    shares = _floored(prior, {*prior, *style.formats})
    for name, engaged, expected in zip(style.formats, style.engaged, style.expected, strict=True):
        strength = PRIOR_EVENTS * shares[name]
        shares[name] *= (strength + kept * engaged) / (strength + kept * expected)
    return _normalised(_lifted(shares, tuple(dict.fromkeys(declared))))


@lru_cache(maxsize=256)
def usual_shares(prior: tuple[tuple[str, float], ...]) -> Mapping[str, float]:
    """How likely each format is next for a learner nobody knows, by a prior as pairs; the same at any time."""
    return format_shares(Style(), dict(prior), NO_TIME)


def _lifted(shares: dict[str, float], declared: tuple[str, ...]) -> dict[str, float]:
    lifted = dict(shares)
    next_best = max((s for f, s in shares.items() if f not in declared), default=0.0)
    for name in reversed(declared):
        lifted[name] = next_best = max(shares.get(name, LEAST_PRIOR), DECLARED_LEAD * next_best)
    return {name: lifted[name] for name in sorted(lifted)}


def _floored(prior: Mapping[str, float], formats: Iterable[str]) -> dict[str, float]:
    """The prior among these formats, by format ascending, each with at least its floor; sums to 1."""
    usable = {f: prior[f] for f in sorted(prior) if math.isfinite(prior[f]) and prior[f] > 0}
    largest = max(usable.values(), default=1.0)
    scaled = {f: weight / largest for f, weight in usable.items()}
    total = sum(scaled.values()) or 1.0
    return _normalised({f: max(scaled.get(f, 0.0) / total, LEAST_PRIOR) for f in sorted(formats)})


def _normalised(weights: dict[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {f: weight / total for f, weight in weights.items()}


def _decay(since_us: int, until_us: int) -> float:
    """What is left of a weight; all of it where there is no clock or the clock went back."""
    if NO_TIME in (since_us, until_us) or until_us <= since_us:
        return 1.0
    return float(0.5 ** ((until_us - since_us) / HALF_LIFE_US))
