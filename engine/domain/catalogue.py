"""The resources a school offers now, beside the ones a bundle knows."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME, microseconds
from engine.domain.id_map import IdMap
from engine.domain.resource import Resource

_FOREVER = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One row per resource: first the bundle's rows, then what the school added since.

    `resources[row]` is None where only the bundle knows the resource: it was withdrawn, history stays.
    `format_index`: `(n,)` int32 into `formats`, -1 where withdrawn. `from_us`, `until_us`: `(n,)` int64 microseconds.
    """

    resource_map: IdMap
    resources: tuple[Resource | None, ...]
    formats: tuple[str, ...]
    format_index: NDArray[np.int32]
    from_us: NDArray[np.int64]
    until_us: NDArray[np.int64]
    hash: str

    def available(self, now_us: int) -> NDArray[np.bool_]:
        """Which rows may be shown at this moment: `(n,)` bool."""
        result: NDArray[np.bool_] = (self.from_us <= now_us) & (now_us < self.until_us)
        return result

    def title(self, row: int) -> str:
        """The title of a resource, its id where it was withdrawn."""
        resource = self.resources[row]
        return resource.title if resource else self.resource_map.ids[row]

    def __len__(self) -> int:
        return len(self.resource_map)


def catalogue_of(resources: Iterable[Resource], known_ids: Sequence[str] = ()) -> Catalogue:
    """The catalogue of these resources; `known_ids` are the bundle's, in the order of its rows."""
    by_id = {r.resource_id: r for r in resources}
    resource_map = IdMap(known_ids).extended(sorted(by_id))
    rows = tuple(by_id.get(x_id) for x_id in resource_map)
    formats = tuple(sorted({r.format for r in by_id.values()}))
    place = {name: i for i, name in enumerate(formats)}
    return Catalogue(
        resource_map=resource_map,
        resources=rows,
        formats=formats,
        format_index=np.array([-1 if r is None else place[r.format] for r in rows], dtype=np.int32),
        from_us=np.array([_FOREVER if r is None else microseconds(r.available_from) for r in rows], dtype=np.int64),
        until_us=np.array([_until(r) for r in rows], dtype=np.int64),
        hash=_hash(by_id),
    )


def _until(resource: Resource | None) -> int:
    if resource is None:
        return NO_TIME
    return _FOREVER if resource.available_until is None else microseconds(resource.available_until)


def _hash(by_id: dict[str, Resource]) -> str:
    """The same resources in any order give the same sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for x_id in sorted(by_id):
        digest.update(repr(by_id[x_id]).encode())
    return digest.hexdigest()[:16]
