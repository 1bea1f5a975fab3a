"""Follow what is promoted: verify a bundle, warm it, let it take its place, take it back where answers get worse."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from engine.bundle import Bundle
from engine.domain.errors import BadBundle, BadInput, TrailmateError
from serving.current_bundle import CurrentBundle, verified_bundle
from serving.logs import JsonLog
from serving.metrics import Metrics
from serving.presence import end_presence, tell_presence
from serving.promotion import Place, Promotion, promoted_in, refuse, stamp_of
from serving.storage.offered import CatalogueStore
from serving.watchdog import Watchdog

_LOOK_S = 0.25
# So long a new bundle is watched, and so long it may be taken back by the watchdog.
WATCHED_S = 60.0


class Swapper:
    """Follows DATA/promoted.json for one process."""

    def __init__(
        self,
        data: Path,
        bundles: CurrentBundle,
        catalogue: CatalogueStore,
        *,
        metrics: Metrics,
        log: JsonLog,
    ) -> None:
        self.watchdog = Watchdog()
        self.refused: tuple[str, str] | None = None
        self._data = data
        self._bundles = bundles
        self._catalogue = catalogue
        self._metrics = metrics
        self._log = log
        self._base = bundles.bundle
        self._stamp: tuple[int, int] | None = None
        self._current: Place | None = None
        self._watched_until: float | None = None
        self._seen: Promotion | None = None
        self._follows = False

    @property
    def base(self) -> str:
        """The version this process was started with."""
        return self._base.version if self._base else "none"

    async def follow(self) -> None:
        """Look, change and watch, until cancelled."""
        self._follows = True
        while True:
            try:
                await self.look()
                await self.watch()
            except (TrailmateError, OSError) as problem:
                self._log.error("promotion", reason=str(problem))
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Serve what is promoted, where that is another bundle than before."""
        stamp = stamp_of(self._data)
        if stamp == self._stamp:
            return
        try:
            promotion = await asyncio.to_thread(promoted_in, self._data)
        except BadInput as problem:
            self._stamp, self.refused = stamp, ("unknown", str(problem))
            raise
        if promotion is not None and promotion.refused is not None:
            self.refused = (promotion.refused.version, promotion.refused.reason)
        before = self._bundles.version
        if promotion is None or not promotion.stands(self.base):
            await self._serve(Place(None, self.base))
        elif not await self._serve(promotion.current):
            await asyncio.to_thread(self._take_back, promotion)
        self._stamp = stamp
        self._count(before, promotion)
        self.tell()

    async def watch(self) -> None:
        """Take the bundle back where answers got worse since it came; trust it when its time is over."""
        if self._watched_until is None or self._current is None:
            return
        verdict = self.watchdog.verdict()
        if verdict is None and time.monotonic() < self._watched_until:
            return
        self._watched_until = None
        if verdict is None:
            self.watchdog.trust()
            return
        place = self._current
        self._refuse(place.version, verdict)
        await asyncio.to_thread(refuse, self._data, place.version, verdict, expected=place)
        await self.look()

    async def _serve(self, place: Place) -> bool:
        """Serve this bundle; False where it is none, or another than was promoted."""
        if place.version == self._bundles.version:
            self._current = place
            return True
        try:
            bundle = await asyncio.to_thread(self._verified, place)
            before = self._bundles.version
            await self._bundles.swap(bundle, self._catalogue)
        except (TrailmateError, OSError, ValueError, KeyError, ArithmeticError) as problem:
            self._refuse(place.version, str(problem) or type(problem).__name__)
            return False
        self._current = place
        self.watchdog.change()
        self._watched_until = time.monotonic() + WATCHED_S
        self._metrics.serves(self._bundles.version, bundle)
        self._log.info("swapped", model_version=self._bundles.version, before=before)
        return True

    def _count(self, before: str, promotion: Promotion | None) -> None:
        """One change of the bundle; what is taken up at the start is none."""
        if self._follows and self._bundles.version != before:
            is_back = promotion is None or promotion.is_back_from(self._seen)
            self._metrics.swaps.labels("rolled_back" if is_back else "promoted").inc()
        self._seen = promotion

    def _verified(self, place: Place) -> Bundle | None:
        if place.path is None:
            return self._base
        bundle = verified_bundle(Path(place.path))
        if bundle.version != place.version:
            raise BadBundle(f"{place.path} holds {bundle.version}, not {place.version}: promote it again")
        return bundle

    def _take_back(self, promotion: Promotion) -> None:
        """What this process cannot serve, no other one should."""
        version, reason = self.refused or (promotion.current.version, "it cannot be served")
        refuse(self._data, version, reason, expected=promotion.current)

    def _refuse(self, version: str, reason: str) -> None:
        self.refused = (version, reason)
        self._metrics.swaps.labels("refused").inc()
        self._log.error("refused", bundle=version, reason=reason, model_version=self._bundles.version)

    def tell(self) -> None:
        """Say what this process serves."""
        tell_presence(self._data, base=self.base, version=self._bundles.version, refused=self.refused)


@asynccontextmanager
async def following(swapper: Swapper, data: Path) -> AsyncIterator[None]:
    """Follow while the block runs; what was promoted before is served from the start."""
    with suppress(TrailmateError):
        await swapper.look()
    swapper.tell()
    task = asyncio.create_task(swapper.follow())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        end_presence(data)
