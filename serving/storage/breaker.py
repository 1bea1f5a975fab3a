"""A breaker: whoever was away a moment ago is not waited for by everybody."""

import time
from collections.abc import Callable


class Breaker:
    """Closed while things go well, open after `failures` in a row; whether they go well again, its owner finds out."""

    def __init__(self, *, failures: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._clock = clock
        self._failed = 0
        self._opened_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the last tries failed: nobody should wait for another one."""
        return self._failed >= self._failures

    @property
    def open_for_s(self) -> float:
        """Seconds since it opened, 0 while it is closed."""
        return self._clock() - self._opened_at if self.is_open else 0.0

    def went_well(self) -> None:
        """Close."""
        self._failed = 0

    def went_wrong(self) -> None:
        """Count a failure."""
        was_open = self.is_open
        self._failed += 1
        if self.is_open and not was_open:
            self._opened_at = self._clock()
