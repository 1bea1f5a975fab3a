"""Random numbers that depend only on who draws, when and for what, so that any order of drawing gives the same ones."""

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Channel(IntEnum):
    """What a number is drawn for; a channel with room behind it holds one number for each skill, format or resource."""

    ABILITY = 0
    RATE = 2
    PACE = 4
    DILIGENCE = 6
    TRUST = 7
    NEEDS = 8
    LANGUAGE = 9
    ATTENDS = 20
    MOMENT = 21
    DURATION = 22
    VOICE = 24
    FOLLOWS = 25
    ASSIGNMENT = 26
    ANSWER = 100
    START = 200
    TASTE = 400
    CHOICE = 1000


def uniform(seed: int, who: ArrayLike, *, step: ArrayLike = 0, channel: ArrayLike) -> Floats:
    """Numbers in the open interval (0, 1), one for each element of the broadcast arguments.

    Counter-based: splitmix64 (Steele, Lea & Flood 2014) applied once per argument, so each is mixed into all bits.
    """
    word = _mixed(_words(seed))
    for part in (who, step, channel):
        word = _mixed(word ^ _words(part) * _GOLDEN)
    return ((word >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normal(seed: int, who: ArrayLike, *, step: ArrayLike = 0, channel: ArrayLike) -> Floats:
    """Standard normal numbers by Box and Muller; uses two neighbouring channels."""
    first = uniform(seed, who, step=step, channel=np.asarray(channel))
    second = uniform(seed, who, step=step, channel=np.asarray(channel) + 1)
    drawn: Floats = np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second)
    return drawn


def _words(value: ArrayLike) -> Words:
    # At least one dimension: numpy wraps overflowing arrays silently but warns about overflowing scalars.
    return np.atleast_1d(np.asarray(value)).astype(np.uint64)


def _mixed(word: Words) -> Words:
    word = word + _GOLDEN
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Words = word ^ (word >> np.uint64(31))
    return mixed
