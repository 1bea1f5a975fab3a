"""The scorers of own work beside EASE and LightFM: each is in a bundle only where held-out data had a use for it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.ranking.features import READINGS
from engine.ranking.least_squares import LeastSquares
from engine.ranking.likewise import KINDS as LIKEWISE
from engine.ranking.likewise import Likewise
from engine.ranking.neighbours import Neighbours, work_of
from engine.ranking.usual_order import UsualOrder

# The matrices of `READINGS` that may speak in the first stage; the ranker reads all of them.
_LINEAR = ("alike", "next_14d", "after_ever")
# Below these the sums are noise, and the terms are counted from there.
_FLOORS = {"alike": 0.1, "next": 0.1, "after": 0.003}


class Scorer(Protocol):
    """One model of a bundle."""

    def score(self, query: Query) -> NDArray[np.float64]:
        """What it says of each resource: `(n_resources,)`, the more the better; NaN where it cannot say."""


class Neighbourly:
    """A matrix of `Neighbours`, read as `READINGS` says: the logarithm of its sums from the floor of its kind."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], name: str, n_resources: int) -> None:
        self._neighbours = Neighbours(arrays, name, n_resources)
        self._half_life_days, self._unit = READINGS[name]
        self._floor = _FLOORS[name.partition("_")[0]]
        self._n = n_resources

    def score(self, query: Query) -> NDArray[np.float64]:
        """Logarithm of the summed weights: `(n_resources,)`; NaN where nothing was taken up."""
        if not len(work_of(query, self._n).rows):
            return np.full(self._n, np.nan)
        result = np.zeros(self._n)
        self.add(result, query, 1.0)
        return result

    def add(self, out: NDArray[np.float64], query: Query, times: float) -> None:
        """Add the same, so many times, to `out` `(n_resources,)`."""
        work = work_of(query, self._n)
        weights = work.weights(self._half_life_days, unit=self._unit)
        self._neighbours.add_logs(out, work.rows, weights, floor=self._floor, times=times)


def added_by(scorer: Scorer, query: Query, times: float, out: NDArray[np.float64]) -> None:
    """Add what a scorer says, so many times, to `out` `(n_resources,)`; nothing where it cannot say."""
    if isinstance(scorer, Neighbourly):
        scorer.add(out, query, times)
    else:
        said = scorer.score(query)
        out += times * np.where(np.isnan(said), 0.0, said)


def names_in(arrays: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """The scorers that these arrays could carry, in the order of their terms."""
    linear = [n for n in _LINEAR if f"{n}_starts" in arrays]
    usual = ["usual_order"] if "usual_order_place" in arrays else []
    likewise = ["likewise"] if "likewise_course" in arrays else []
    return (*usual, *likewise, *linear, *sorted(n.removesuffix("_solve") for n in arrays if n.endswith("_solve")))


def beside_from(
    arrays: Mapping[str, NDArray[Any]], names: Sequence[str], courses: IdMap, n_resources: int
) -> tuple[Scorer, ...]:
    """The named scorers over the arrays of a bundle."""
    return tuple(_scorer(arrays, name, courses, n_resources) for name in names)


def _scorer(arrays: Mapping[str, NDArray[Any]], name: str, courses: IdMap, n_resources: int) -> Scorer:
    if name == "usual_order":
        return UsualOrder(arrays)
    if name == "likewise":
        return Likewise(arrays, courses, n_resources)
    if name.startswith("ials"):
        return LeastSquares(arrays, name)
    return Neighbourly(arrays, name, n_resources)


def arrays_of(name: str) -> tuple[str, ...]:
    """The names of the arrays a scorer reads, or one of the ranker's matrices."""
    if name == "usual_order":
        return ("usual_order_place",)
    if name == "likewise":
        return tuple(f"likewise_{kind}" for kind in LIKEWISE)
    kinds = ("vectors", "solve") if name.startswith("ials") else ("starts", "neighbour", "weight")
    return tuple(f"{name}_{kind}" for kind in kinds)
