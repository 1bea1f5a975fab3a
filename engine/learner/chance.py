"""The logit of success: trees, a small network and a straight line, each with its share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.forest import Forest, forest_from
from engine.learner.line import Line, line_from
from engine.learner.net import Net, net_from


@dataclass(frozen=True, slots=True)
class Chance:
    """Members and their shares; `net` is None where it has none. Columns of the line stand first in what is asked."""

    forest: Forest
    net: Net | None
    line: Line
    shares: tuple[float, float, float]

    def logits(self, x: NDArray[np.float32], item_row: NDArray[np.int32]) -> NDArray[np.float64]:
        """Logits: `(n,)` from `(n, n_columns)` and the rows of the items, -1 where unknown."""
        of_trees, of_net, of_line = self.shares
        z = np.zeros(len(x))
        if of_trees:
            z = z + of_trees * self.forest.sums(x)
        if of_net and self.net is not None:
            z = z + of_net * self.net.logits(x, item_row)
        if of_line:
            z = z + of_line * self.quick(x)
        return z

    def quick(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits of the line alone."""
        return self.line.logits(x)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As a bundle carries them."""
        return {
            "shares": np.array(self.shares),
            **self.forest.arrays("mastery"),
            **self.line.arrays(),
            **(self.net.arrays() if self.net else {}),
        }


def chance_from(arrays: Mapping[str, NDArray[Any]]) -> Chance:
    """The members a bundle carries."""
    trees, net, line = (float(share) for share in arrays["shares"])
    return Chance(forest_from(arrays, "mastery"), net_from(arrays), line_from(arrays), (trees, net, line))
