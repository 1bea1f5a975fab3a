"""The mistakes of a specification, told all at once."""

from collections.abc import Sequence

_SHOWN = 8


def told_at_once(mistakes: Sequence[str]) -> str:
    """One sentence for one mistake; of several each in turn, and how many more there are."""
    shown = "; ".join(mistakes[:_SHOWN])
    return shown if len(mistakes) <= _SHOWN else f"{shown}; and {len(mistakes) - _SHOWN} more"
