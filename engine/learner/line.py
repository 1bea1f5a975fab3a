"""A straight line beside the learner's adapted logit: all that a small log can be trusted to teach."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.features import COLUMN
from engine.learner.kernels import address, library

# The features a line looks at, beside the logit it starts from.
LINE_COLUMNS = np.array(
    [
        COLUMN[name]
        for name in (
            "logit_adapted", "logit_regimes", "logit_without_item", "logit", "difficulty", "item.win_rate",
            "item.mean_fast", "learner.mean_mid", "learner.residual_slow", "rarest.mean_fast", "rarest.win_rate",
            "item.log_gap", "item.odds_t8", "item.log_n",
        )
    ],
    np.int32,
)  # fmt: skip
_PARTS = ("mean", "scale", "weight", "bias")
_START = 0
_FARTHEST = 4.0


@dataclass(frozen=True, slots=True)
class Line:
    """`mean`, `scale`, `weight`: `(14,)` float64 over `LINE_COLUMNS`; `bias`: `(1,)`. Zero weights change nothing."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    _places: tuple[int, int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for part in _PARTS:
            object.__setattr__(self, part, np.ascontiguousarray(getattr(self, part), np.float64))
        object.__setattr__(self, "_places", (address(self.mean), address(self.scale), address(self.weight)))

    def logits(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits of success: `(n,)` from rows that begin with the line's own columns, `(n, 14)` or wider."""
        loaded = library()
        if loaded is None:
            return self.summed(x)
        x = np.ascontiguousarray(x, np.float32)
        result, told = np.empty(len(x)), (*self._places, len(self.weight), float(self.bias[0]), _FARTHEST)
        loaded.line_logits(address(x), *x.shape, *told, address(result))
        return result

    def summed(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The same in numpy: the compiled sums' oracle and stand-in."""
        z = standardised(x[:, : len(self.weight)], self.mean, self.scale)
        # Added from left to right: other sums may differ in the last digit with the number of rows.
        told = np.cumsum(z * self.weight, axis=1)[:, -1]
        logit: NDArray[np.float64] = told + x[:, _START] + self.bias[0]
        return logit

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As a bundle carries them."""
        return {f"line_{part}": getattr(self, part) for part in _PARTS}


def line_from(arrays: Mapping[str, NDArray[Any]]) -> Line:
    """The line of a bundle."""
    return Line(**{part: arrays[f"line_{part}"] for part in _PARTS})


def no_line() -> Line:
    """The adapted logit as it is."""
    n = len(LINE_COLUMNS)
    return Line(np.zeros(n), np.ones(n), np.zeros(n), np.zeros(1))


def standardised(x: NDArray[np.float32], mean: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns in deviations from their mean, cut at the farthest."""
    z: NDArray[np.float64] = np.minimum(np.maximum((x - mean) / scale, -_FARTHEST), _FARTHEST)
    return z
