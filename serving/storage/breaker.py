"""A breaker: whoever was away a moment ago is not waited for by everybody."""

import time
from collections.abc import Callable


class Breaker:
    """Closed while things go well; open after `failures` in a row; then one try every `rest_s` seconds.

    Not for several threads: it lives in one event loop.
    """

    def __init__(self, *, failures: int, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._rest_s = rest_s
        self._clock = clock
        self._failed = 0
        self._next_try = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the last tries failed; says nothing of whether the next one may be made."""
        return self._failed >= self._failures

    def may_try(self) -> bool:
        """Whether to ask now. While open, one asker in each rest gets a yes: the try itself pushes the next one off."""
        if not self.is_open:
            return True
        now = self._clock()
        if now < self._next_try:
            return False
        self._next_try = now + self._rest_s
        return True

    def went_well(self) -> None:
        """It answered."""
        self._failed = 0

    def went_wrong(self) -> None:
        """It did not."""
        self._failed += 1
        self._next_try = self._clock() + self._rest_s
