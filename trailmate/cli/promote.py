"""`trailmate promote` and `trailmate rollback`: change the bundle that running servers answer from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.domain.errors import BadBundle, Unavailable
from trailmate.cli.progress import say

if TYPE_CHECKING:
    from serving.promotion import Promotion
    from serving.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")]
# To read, verify and warm a large bundle beside running answers takes some seconds.
_PATIENCE_S, _PAUSE_S = 120.0, 0.1


def promote(
    bundle: Annotated[Path, typer.Argument(help="The bundle to serve from now on.")], as_json: AsJson = False
) -> None:
    """Serve another bundle, without an answer lost; a bad one is refused, and the one before serves on.

    Example: trailmate promote bundles/summer
    """
    from serving import promotion
    from serving.current_bundle import verified_bundle
    from serving.settings import read_settings

    settings = read_settings()
    version = verified_bundle(bundle).version
    place = promotion.Place(str(bundle.resolve()), version)
    over, serving = _standing(settings)
    _told(settings, promotion.promote(settings.data, place, over=over, serving=serving), as_json=as_json)


def rollback(as_json: AsJson = False) -> None:
    """Serve the bundle again that was served before the last promotion.

    Example: trailmate rollback
    """
    from serving import promotion
    from serving.settings import read_settings

    settings = read_settings()
    _told(settings, promotion.roll_back(settings.data), as_json=as_json)


def _standing(settings: Settings) -> tuple[str | None, str]:
    """The version that servers are started with, None where nobody can say, and the one that is served."""
    from engine.bundle import read_bundle
    from serving.presence import present_in, served_by

    processes = present_in(settings.data)
    base = served_by(processes)
    if base is not None:
        return base, processes[0].version
    if settings.bundle is None:
        return None, "none"
    version = read_bundle(settings.bundle).version
    return version, version


def _told(settings: Settings, made: Promotion, *, as_json: bool) -> None:
    version, before = made.current.version, [place.version for place in made.before]
    n = _followed(settings, made)
    where = f"{n} server process(es) answer from it" if n else "no server runs here; the next one answers from it"
    say({"version": version, "before": before, "servers": n}, as_json=as_json, text=f"promoted {version}: {where}")


def _followed(settings: Settings, made: Promotion) -> int:
    """How many processes serve it now; raises BadBundle where one refused it, Unavailable where one never did."""
    from serving.presence import present_in
    from serving.promotion import promoted_in

    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        processes = present_in(settings.data)
        now = promoted_in(settings.data)
        if now is not None and now.refused is not None and now.refused.version == made.current.version:
            raise BadBundle(f"the bundle {now.refused.version} was taken back: {now.refused.reason}")
        if all(about.version == made.current.version for about in processes):
            return len(processes)
        time.sleep(_PAUSE_S)
    raise Unavailable("not every server process follows; look into their logs, or start them again")
