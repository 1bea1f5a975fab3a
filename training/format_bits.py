"""What a learner's own style adds to guessing the format of what they take up next, in bits over the course's mix."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.learner.style import HALF_LIFE_US, LEAST_PRIOR, PRIOR_EVENTS
from training.format_mix import Floats, FormatEvents, Mixes, format_table

Report = Callable[[str, float], None]

# Events at a time, whole learners always: bounds the memory, changes no result.
_BLOCK = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleSettings:
    """The numbers of `engine.learner.style`, which others may be held against."""

    prior_events: float = PRIOR_EVENTS
    half_life_us: float = HALF_LIFE_US
    least_prior: float = LEAST_PRIOR


SERVED = StyleSettings()


@dataclass(frozen=True, slots=True)
class FormatBits:
    """log2 of the probability given to the format that was taken up: `(n,)` each, of the same events.

    `mix`: the week of the course. `left`: the same, of what the learner had not taken up yet. `mix_style` and
    `left_style`: these two with the learner's own style.
    """

    mix: Floats
    mix_style: Floats
    left: Floats
    left_style: Floats

    def saved(self) -> dict[str, Floats]:
        """Bits saved by event: by style over either mix, and by both steps together over the plain mix."""
        return {
            "style_over_mix": self.mix_style - self.mix,
            "style_over_left": self.left_style - self.left,
            "left_and_style_over_mix": self.left_style - self.mix,
        }


def format_bits(
    events: FormatEvents, settings: StyleSettings = SERVED, *, report: Report = lambda _what, _share: None
) -> FormatBits:
    """How well mix and style guess the format of each first engagement.

    The mix is that of the other learners in the same week of the course, leaning on the whole course and that on
    everything; it is learned from the whole log. The style is folded from the learner's own earlier first engagements,
    with that mix as its prior. Events of one moment tell nothing of each other: with a clock of days all events of a
    day are guessed from the days before.
    """
    found = np.zeros((4, len(events)))
    mixes = Mixes.of(events)
    for block in _blocks(events):
        part = events.part(block)
        taken = np.arange(len(part)), part.format
        for row, mix in enumerate((mixes.whole(part), mixes.left(part))):
            found[2 * row, block] = np.log2(mix[taken])
            found[2 * row + 1, block] = np.log2(_styled(part, mix, settings)[taken])
        report("guessing formats", block.stop / len(events))
    return FormatBits(*found)


def _blocks(events: FormatEvents) -> Iterator[slice]:
    """Slices of events that hold whole learners."""
    firsts = np.flatnonzero(np.diff(events.learner, prepend=-1))
    _, chosen = np.unique(firsts // _BLOCK, return_index=True)
    edges = [*firsts[chosen].tolist(), len(events)]
    yield from (slice(start, stop) for start, stop in itertools.pairwise(edges))


def _styled(part: FormatEvents, mix: Floats, settings: StyleSettings) -> Floats:
    """The shares of `engine.learner.style.format_shares` before each event: `(n, n_formats)`, rows sum to 1.

    The same fold as its `style_after`, one step for all learners at once.
    """
    prior = _floored(mix, mix > 0, settings)
    starts = part.moment_starts
    moment = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(part)))
    after = np.stack([format_table(moment, part.format, mix.shape[1]), np.add.reduceat(prior, starts, axis=0)])
    first = np.flatnonzero(np.diff(part.learner[starts], prepend=-1))
    step = np.arange(len(starts)) - np.repeat(first, np.diff(first, append=len(starts)))
    decay = np.exp2(-np.diff(part.at_us[starts], prepend=0) / settings.half_life_us * (step > 0))[:, None]
    before = np.zeros_like(after)
    for rows in np.split(np.argsort(step, kind="stable"), np.cumsum(np.bincount(step)))[1:-1]:
        before[:, rows] = after[:, rows - 1] * decay[rows]
        after[:, rows] += before[:, rows]
    engaged, expected = before[:, moment]
    prior = _floored(mix, (mix > 0) | (expected > 0), settings)
    shares: Floats = prior * (settings.prior_events * prior + engaged)
    np.divide(shares, settings.prior_events * prior + expected, out=shares, where=prior > 0)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def _floored(mix: Floats, formats: NDArray[np.bool_], settings: StyleSettings) -> Floats:
    """The mix with at least its floor for each of these formats: `(n, n_formats)`, rows sum to 1."""
    floored: Floats = np.maximum(mix, settings.least_prior) * formats
    floored /= floored.sum(axis=1, keepdims=True)
    return floored
