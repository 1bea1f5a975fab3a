"""The bundle that is served, and what it makes of each tenant's catalogue."""

import asyncio
from collections import defaultdict
from pathlib import Path

from engine.bundle import Bundle, read_bundle
from engine.domain.errors import Unavailable
from engine.golden import check_golden
from engine.recommender import Recommender, recommender_of
from serving.storage.port import CatalogueStore


class CurrentBundle:
    """One bundle, or none yet, and a recommender per tenant that follows the tenant's catalogue."""

    def __init__(self, bundle: Bundle | None) -> None:
        self.bundle = bundle
        self._made: dict[str, tuple[int, Recommender]] = {}
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def version(self) -> str:
        """The version of the bundle, `none` where there is none."""
        return self.bundle.version if self.bundle else "none"

    async def recommender(self, tenant: str, catalogue_version: int, catalogue: CatalogueStore) -> Recommender:
        """The recommender for this version of the tenant's catalogue; made once, by whoever asks first."""
        async with self._making[tenant]:
            version, made = self._made.get(tenant, (-1, None))
            if made is None or version < catalogue_version:
                try:
                    offered, withdrawn = await catalogue.resources(tenant), await catalogue.withdrawn(tenant)
                    skills = await catalogue.skills(tenant)
                except Unavailable:
                    if made is None:
                        raise
                    # What was offered a moment ago is a better answer than none.
                    return made
                made = await asyncio.to_thread(recommender_of, self.bundle, offered, withdrawn=withdrawn, skills=skills)
                self._made[tenant] = (catalogue_version, made)
            return made


def bundle_at(path: Path | None) -> CurrentBundle:
    """The bundle at this path, verified and asked its golden requests; raises BadBundle."""
    if path is None:
        return CurrentBundle(None)
    bundle = read_bundle(path)
    check_golden(bundle)
    return CurrentBundle(bundle)
