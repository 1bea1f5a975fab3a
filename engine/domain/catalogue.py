"""The resources a school offers now, beside the ones a bundle knows."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME, microseconds
from engine.domain.id_map import IdMap
from engine.domain.resource import Resource

_FOREVER = int(np.iinfo(np.int64).max)
# Names come from requests too, so there is an end to what is kept for them.
_MOST_KEPT = 256
# All that is said of a resource; as a tuple it is written down three times as fast as by its own `repr`.
_content = attrgetter(*(each.name for each in fields(Resource)))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One row per resource: first the bundle's rows, then what the school added since.

    `resources[row]` is None where only the bundle knows the resource: it was withdrawn, history stays.
    `format_index`: `(n,)` int32 into `formats`, -1 where withdrawn. `from_us`, `until_us`: `(n,)` int64 microseconds.
    `minutes`: `(n,)` as declared, NaN where not.
    """

    resource_map: IdMap
    resources: tuple[Resource | None, ...]
    formats: tuple[str, ...]
    format_index: NDArray[np.int32]
    from_us: NDArray[np.int64]
    until_us: NDArray[np.int64]
    minutes: NDArray[np.float64]
    hash: str
    _kept: dict[tuple[str, str], NDArray[np.bool_]] = field(default_factory=dict, repr=False, compare=False)
    _shown: list[tuple[int, int, NDArray[np.bool_]]] = field(default_factory=list, repr=False, compare=False)

    def available(self, now_us: int) -> NDArray[np.bool_]:
        """Which rows may be shown at this moment: `(n,)` bool, not to be written to."""
        for since, until, shown in self._shown:
            if since <= now_us < until:
                return shown
        shown = (self.from_us <= now_us) & (now_us < self.until_us)
        turns = np.concatenate([self.from_us, self.until_us])
        since = int(turns[turns <= now_us].max(initial=NO_TIME))
        # Kept until something comes or goes; one moment at a time is asked about.
        self._shown[:] = [(since, int(turns[turns > now_us].min(initial=_FOREVER)), shown)]
        return shown

    def with_access(self, need: str) -> NDArray[np.bool_]:
        """Which rows meet a need of access: `(n,)` bool; what a resource does not say it does not meet."""
        return self._having("access", need, lambda r: need in r.access)

    def in_language(self, language: str) -> NDArray[np.bool_]:
        """Which rows are in this language, or name none: `(n,)` bool; `de` is that of `de-CH` too, and it of `de`."""
        return self._having(
            "language", language, lambda r: r.language is None or _is_same_language(r.language, language)
        )

    def of_format(self, name: str) -> NDArray[np.bool_]:
        """Which rows are of this format: `(n,)` bool."""
        return self._having("format", name, lambda r: r.format == name)

    def _having(self, what: str, value: str, fits: Callable[[Resource], bool]) -> NDArray[np.bool_]:
        """Asked once for each value: a catalogue does not change."""
        key = (what, value)
        if key not in self._kept:
            found = np.fromiter((r is not None and fits(r) for r in self.resources), bool, len(self.resources))
            if len(self._kept) >= _MOST_KEPT:
                return found
            self._kept[key] = found
        return self._kept[key]

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
        minutes=np.array([np.nan if r is None or r.minutes is None else r.minutes for r in rows], np.float64),
        hash=_hash(by_id),
    )


def _until(resource: Resource | None) -> int:
    if resource is None:
        return NO_TIME
    return _FOREVER if resource.available_until is None else microseconds(resource.available_until)


def _is_same_language(one: str, other: str) -> bool:
    """Whether one BCP 47 tag is the other, or says no more than where or how it is spoken (RFC 4647)."""
    some, more = sorted((one.lower(), other.lower()), key=len)
    return more == some or more.startswith(f"{some}-")


def _hash(by_id: dict[str, Resource]) -> str:
    """The same resources in any order give the same sixteen hexadecimal digits."""
    told = repr([_content(by_id[x_id]) for x_id in sorted(by_id)])
    return hashlib.sha256(told.encode()).hexdigest()[:16]
