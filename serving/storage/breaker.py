"""A breaker: whoever was away a moment ago is not waited for by everybody."""


class Breaker:
    """Closed while things go well, open after `failures` in a row; whether they go well again, its owner finds out."""

    def __init__(self, *, failures: int) -> None:
        self._failures = failures
        self._failed = 0

    @property
    def is_open(self) -> bool:
        """Whether the last tries failed: nobody should wait for another one."""
        return self._failed >= self._failures

    def went_well(self) -> None:
        """Close."""
        self._failed = 0

    def went_wrong(self) -> None:
        """Count a failure."""
        self._failed += 1
