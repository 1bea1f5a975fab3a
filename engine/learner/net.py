"""A small network over the same features as the trees; where answers are few enough to fit one, both are averaged."""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.kernels import address, library

Floats = NDArray[np.float32]

# Standardised features beyond this many deviations are cut: no single odd number decides.
FARTHEST = 3.0
_PARTS = (
    "mean", "scale", "first", "first_bias", "item_shift", "second", "second_bias", "out", "straight", "item_bias",
    "bias",
)  # fmt: skip


class _CNet(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("d", "h1", "h2")],
        *[(name, ctypes.c_void_p) for name in _PARTS],
    ]


@dataclass(frozen=True, slots=True)
class Net:
    """Two hidden layers with a shift per item and a straight way through; all arrays float32.

    `mean`, `scale`: `(d,)`. `first`: `(d, h1)`, `first_bias`: `(h1,)`, `item_shift`: `(n_items + 1, h1)`, `second`:
    `(h1, h2)`, `second_bias`: `(h2,)`, `out`: `(h2,)`, `straight`: `(d,)`, `item_bias`: `(n_items + 1,)`, `bias`:
    `(1,)`. The last row of what is per item stands for items nobody knows, and is 0.
    """

    mean: Floats
    scale: Floats
    first: Floats
    first_bias: Floats
    item_shift: Floats
    second: Floats
    second_bias: Floats
    out: Floats
    straight: Floats
    item_bias: Floats
    bias: Floats
    _c: "_CNet" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for part in _PARTS:
            object.__setattr__(self, part, np.ascontiguousarray(getattr(self, part), np.float32))
        sizes = (len(self.mean), len(self.first_bias), len(self.second_bias))
        object.__setattr__(self, "_c", _CNet(*sizes, *(address(getattr(self, part)) for part in _PARTS)))

    def logits(self, x: Floats, item_row: NDArray[np.int32]) -> NDArray[np.float64]:
        """Logits of success: `(n,)` from features `(n, d)` and items, -1 where unknown.

        Raises:
            MemoryError: the machine has none left.
        """
        loaded = library()
        if loaded is None:
            return self.summed(x, item_row)
        x, items = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(item_row, np.int32)
        result = np.empty(len(x))
        failed = loaded.net_logits(
            ctypes.addressof(self._c), address(x), *x.shape, address(items), len(self.item_bias), FARTHEST,
            address(result),
        )  # fmt: skip
        if failed:
            raise MemoryError("not enough memory for the network of a learner model")
        return result

    def summed(self, x: Floats, item_row: NDArray[np.int32]) -> NDArray[np.float64]:
        """The same in numpy: the compiled sums' oracle and stand-in."""
        z = standardised(x, self.mean, self.scale)
        one = np.maximum(_product(z, self.first) + self.first_bias + self.item_shift[item_row], 0)
        two = np.maximum(_product(one, self.second) + self.second_bias, 0)
        out = np.column_stack([self.out, np.zeros_like(self.out)])
        straight = np.column_stack([self.straight, np.zeros_like(self.straight)])
        last = _product(two, out)[:, 0] + _product(z, straight)[:, 0]
        result: NDArray[np.float64] = (last + self.item_bias[item_row] + self.bias).astype(np.float64)
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As a bundle carries them."""
        return {f"net_{part}": getattr(self, part) for part in _PARTS}


def net_from(arrays: Mapping[str, NDArray[Any]]) -> Net | None:
    """The network of a bundle; None where it carries none."""
    if "net_mean" not in arrays:
        return None
    return Net(**{part: arrays[f"net_{part}"] for part in _PARTS})


def standardised(x: Floats, mean: Floats, scale: Floats) -> Floats:
    """Features in deviations from their mean, cut at the farthest."""
    z: Floats = np.clip((x - mean) / scale, -FARTHEST, FARTHEST)
    return z


def _product(a: Floats, b: Floats) -> Floats:
    """`a @ b` with the same last digit for a row on its own and among others, which BLAS does not promise."""
    product: Floats = np.einsum("ij,jk->ik", a, b, optimize=False)
    return product
