"""The bundle that is served, what it makes of each tenant's catalogue, and how another takes its place."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from engine.bundle import Bundle, read_bundle
from engine.domain.decision import Request
from engine.domain.errors import Unavailable
from engine.domain.history import History, microseconds
from engine.domain.query import Query
from engine.golden import check_golden
from engine.recommender import Recommender, recommend, recommender_of
from serving.at_hand import AtHand
from serving.storage.offered import CatalogueStore


@dataclass(frozen=True, slots=True)
class _Serving:
    """One bundle with a recommender for each tenant, and the version of the catalogue each stands on."""

    bundle: Bundle | None
    made: dict[str, tuple[int, Recommender]] = field(default_factory=dict)
    making: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))


class CurrentBundle:
    """One bundle, or none yet, and a recommender per tenant that follows the tenant's catalogue.

    Whoever answers takes a recommender once and keeps to it: an answer is of one bundle, also while bundles change.
    """

    def __init__(self, bundle: Bundle | None) -> None:
        self._serving = _Serving(bundle)
        self.at_hand = AtHand()

    @property
    def bundle(self) -> Bundle | None:
        """The bundle that is served."""
        return self._serving.bundle

    @property
    def version(self) -> str:
        """The version of the bundle, `none` where there is none."""
        return self.bundle.version if self.bundle else "none"

    def make_shared(self) -> None:
        """Make what is the bundle's alone, whatever the catalogue, so that processes which part now share it."""
        if self.bundle is not None:
            recommender_of(self.bundle, ())

    async def recommender(self, tenant: str, catalogue_version: int, catalogue: CatalogueStore) -> Recommender:
        """The recommender for this version of the tenant's catalogue; made once, by whoever asks first."""
        version, made = self._serving.made.get(tenant, (-1, None))
        if made is not None and version >= catalogue_version:
            return made
        return await _follow(self._serving, tenant, catalogue_version, catalogue)

    async def swap(self, bundle: Bundle | None, catalogue: CatalogueStore) -> None:
        """Serve this bundle from now on: it is asked for each known tenant first, and only then takes its place.

        Raises Unavailable where a catalogue cannot be read; the bundle before it then serves on.
        """
        coming = _Serving(bundle)
        for tenant, (version, _) in list(self._serving.made.items()):
            await asyncio.to_thread(_warm, await _follow(coming, tenant, version, catalogue))
        # One assignment: who asks before it gets the one bundle, who asks after it the other.
        self._serving = coming
        self.at_hand.clear()


async def _follow(serving: _Serving, tenant: str, catalogue_version: int, catalogue: CatalogueStore) -> Recommender:
    async with serving.making[tenant]:
        version, made = serving.made.get(tenant, (-1, None))
        if made is None or version < catalogue_version:
            try:
                offered, withdrawn = await catalogue.resources(tenant), await catalogue.withdrawn(tenant)
                skills = await catalogue.skills(tenant)
            except Unavailable:
                if made is None:
                    raise
                # What was offered a moment ago is a better answer than none.
                return made
            made = await asyncio.to_thread(recommender_of, serving.bundle, offered, withdrawn=withdrawn, skills=skills)
            serving.made[tenant] = (catalogue_version, made)
        return made


def _warm(recommender: Recommender) -> None:
    """Answer somebody unknown in every way there is, so that no learner waits for what is made at the first answer."""
    now = datetime.now(UTC)
    query = Query(learner_id="", known=False, history=History.empty(), now_us=microseconds(now))
    for objective in ("learning", "uptake"):
        recommend(Request(learner_id="", objective=objective), query, recommender, decision_id="", now=now)


def verified_bundle(path: Path) -> Bundle:
    """The bundle at this path, every byte checked, and asked its golden requests; raises BadBundle."""
    bundle = read_bundle(path)
    check_golden(bundle)
    return bundle


def bundle_at(path: Path | None) -> CurrentBundle:
    """The verified bundle at this path, or none; raises BadBundle."""
    return CurrentBundle(None if path is None else verified_bundle(path))
