"""Which resources a rule speaks of, from its definition: one resource at a time, or all of a catalogue as rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.id_map import IdMap
from engine.domain.resource import Resource
from engine.domain.rule import What

Rows = NDArray[np.int32]
Mask = NDArray[np.bool_]


def fits(what: What, resource: Resource) -> bool:
    """Whether a resource fits: each kind that is named, by one of its names; everything fits where nothing is named."""
    return (
        (not what.resources or resource.resource_id in what.resources)
        and (not what.formats or resource.format in what.formats)
        and (not what.skills or any(s in what.skills for s in resource.skills))
        and (not what.tags or any(t in what.tags for t in resource.tags))
    )


@dataclass(frozen=True, slots=True)
class Contents:
    """A catalogue as rules see it: the rows of each skill, format and tag. Made once per catalogue."""

    resource_map: IdMap
    resources: Sequence[Resource | None]
    formats: tuple[str, ...]
    format_index: NDArray[np.int32]
    by_kind: Mapping[str, Mapping[str, Rows]]

    def __len__(self) -> int:
        return len(self.resources)

    @property
    def there(self) -> Mask:
        """Which rows are not withdrawn: `(n_resources,)`."""
        there: Mask = self.format_index >= 0
        return there

    def rows(self, kind: str, names: Sequence[str]) -> Rows:
        """The rows that carry one of the names of a kind, some of them perhaps twice."""
        if kind == "resources":
            rows = self.resource_map.rows(names)
            return rows[rows >= 0]
        found = [self.by_kind[kind][n] for n in names if n in self.by_kind[kind]]
        return np.concatenate(found) if found else np.empty(0, np.int32)

    def mask(self, what: What) -> Mask:
        """Which rows a rule speaks of: `(n_resources,)`, by the same definition as `fits`."""
        mask = None if what.of_content else self.there
        for kind in ("skills", "resources", "formats", "tags"):
            names = getattr(what, kind)
            if names:
                own = np.zeros(len(self), bool)
                own[self.rows(kind, names)] = True
                mask = own if mask is None else mask & own
        assert mask is not None
        return mask

    def title(self, row: int) -> str:
        """The title of a resource, its id where it was withdrawn."""
        resource = self.resources[row]
        return resource.title if resource else self.resource_map.ids[row]


def contents_of(catalogue: Catalogue) -> Contents:
    """The contents of a catalogue."""
    found: dict[str, dict[str, list[int]]] = {"skills": {}, "formats": {}, "tags": {}}
    for row, resource in enumerate(catalogue.resources):
        if resource is None:
            continue
        named = {"skills": resource.skills, "formats": (resource.format,), "tags": resource.tags}
        for kind, names in named.items():
            for name in set(names):
                found[kind].setdefault(name, []).append(row)
    return Contents(
        resource_map=catalogue.resource_map,
        resources=catalogue.resources,
        formats=catalogue.formats,
        format_index=catalogue.format_index,
        by_kind={kind: {n: np.array(r, np.int32) for n, r in named.items()} for kind, named in found.items()},
    )
