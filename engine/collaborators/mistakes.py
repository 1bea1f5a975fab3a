"""The mistakes of a specification, told all at once."""

from collections.abc import Sequence

_SHOWN = 40


def told_at_once(mistakes: Sequence[str]) -> str:
    """One sentence for one mistake; of several each in turn, and how many more there are."""
    # "And 1 more" would be as long as most mistakes are.
    if len(mistakes) <= _SHOWN + 1:
        return "; ".join(mistakes)
    return f"{'; '.join(mistakes[:_SHOWN])}; and {len(mistakes) - _SHOWN} more"
