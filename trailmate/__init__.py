"""The front door: the command line and the typed Python client."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trailmate.client import Trailmate

__all__ = ["Trailmate"]


def __getattr__(name: str) -> Any:
    # Only who asks for the client pays for importing httpx; `trailmate --help` does not.
    if name == "Trailmate":
        from trailmate.client import Trailmate

        return Trailmate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
