"""Resources newer than the bundle: until learners speak for one, what is most like it does."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.query import Query
from engine.domain.resource import Resource
from engine.ranking.relevance import FirstStage, RelevanceModel

# So many of the resources most like a newcomer speak for it; so many newcomers at a time may stand beside what trees
# put in order.
MOST_LIKE, MOST_AT_ONCE = 4, 16

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Newcomers:
    """`rows` `(n,)` of a catalogue that the bundle does not know, ascending; `like` `(n, 4)` rows that it knows.

    `share` `(n, 4)`: how much each of those counts; a row sums to 1. What is like nothing is not among them.
    """

    rows: Ints
    like: Ints
    share: Floats

    def stood_for(self, first: FirstStage) -> FirstStage:
        """What the cheap scorers say, with the word on newcomers that they have on what is most like those."""
        said = {name: getattr(first, name).copy() for name in ("scores", "others", "course_time", "own_work")}
        for values in said.values():
            values[self.rows] = (values[self.like] * self.share).sum(axis=1)
        return replace(first, **said)

    def families_of(self, model: RelevanceModel, query: Query, first: FirstStage, rows: Ints) -> Floats:
        """What each family of terms adds to each of these rows of the catalogue: `(n_families, len(rows))`.

        A newcomer has the mean of what is most like it, which is put in order beside the rest, wherever it stands.
        """
        places, here = self._among(rows, first.scores)
        if not len(places):
            return model.families_of(query, first, rows)
        beside = np.union1d(rows, self.like[here])
        found = model.families_of(query, first, beside)
        said: Floats = found[:, beside.searchsorted(rows)]
        said[:, places] = (found[:, beside.searchsorted(self.like[here])] * self.share[here]).sum(axis=2)
        return said

    def _among(self, rows: Ints, scores: Floats) -> tuple[Ints, Ints]:
        """The best few newcomers among some rows of the catalogue: their places there, and here; `(n,)` both."""
        here = np.minimum(self.rows.searchsorted(rows), len(self.rows) - 1)
        places = np.flatnonzero(self.rows[here] == rows)
        if len(places) > MOST_AT_ONCE:
            places = np.sort(places[np.lexsort((rows[places], -scores[rows[places]]))[:MOST_AT_ONCE]])
        return places, here[places]

    def most_like(self, row: int) -> int | None:
        """The row most like a newcomer; None for what is no newcomer."""
        here = int(self.rows.searchsorted(row))
        return int(self.like[here, 0]) if here < len(self.rows) and self.rows[here] == row else None


def newcomers_of(catalogue: Catalogue, n_known: int) -> Newcomers | None:
    """The newcomers of a catalogue whose first `n_known` rows a bundle knows; None where there are none.

    Alike is who shares skills, format and tags, what few have counting most; among equals, who stands near in the plan.
    """
    known = [(row, r) for row, r in enumerate(catalogue.resources[:n_known]) if r is not None]
    new = [(row, r) for row, r in enumerate(catalogue.resources) if row >= n_known and r is not None]
    if not known or not new:
        return None
    having: dict[str, list[int]] = defaultdict(list)
    for place, (_, resource) in enumerate(known):
        for feature in features_of(resource):
            having[feature].append(place)
    positions = _positions([r for _, r in known])
    rows, like, share = [], [], []
    shared: dict[tuple[str, ...], Floats] = {}
    for row, resource in new:
        features = features_of(resource)
        if features not in shared:
            shared[features] = _shared(features, having, len(known))
        best = _most_like(shared[features], resource, positions)
        if len(best):
            rows.append(row)
            like.append(np.resize([known[p][0] for p in best.tolist()], MOST_LIKE))
            share.append(np.where(np.arange(MOST_LIKE) < len(best), 1.0 / len(best), 0.0))
    if not rows:
        return None
    return Newcomers(np.array(rows, np.int64), np.array(like, np.int64), np.array(share))


def features_of(resource: Resource) -> tuple[str, ...]:
    """What a resource is told to be, ascending."""
    return tuple(
        sorted(
            {
                f"format:{resource.format}",
                *(f"skill:{s}" for s in resource.skills),
                *(f"tag:{t}" for t in resource.tags),
            }
        )
    )


def _shared(features: Sequence[str], having: dict[str, list[int]], n: int) -> Floats:
    """How much each known resource shares of these features: `(n,)`."""
    total = np.zeros(n)
    for feature in features:
        theirs = having.get(feature, [])
        total[theirs] += np.log((n + 1.0) / max(len(theirs), 1))
    return total


def _most_like(shared: Floats, resource: Resource, positions: Floats) -> Ints:
    """Places of the known resources most like this one, at most four; those alone that share more than half as much
    as the best."""
    near = np.zeros(len(shared)) if resource.position is None else -np.abs(positions - resource.position)
    order = np.lexsort((np.nan_to_num(near, nan=-np.inf), shared))[::-1][:MOST_LIKE]
    return order[shared[order] > 0.5 * shared[order[0]]] if shared[order[0]] > 0 else order[:0]


def _positions(resources: Sequence[Resource]) -> Floats:
    return np.array([np.nan if r.position is None else r.position for r in resources], np.float64)
