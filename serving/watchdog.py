"""Whether answers got worse since another bundle took its place: more of them failed, or they take much longer."""

from collections import deque
from statistics import median

# What is compared: so many of the last answers before, and of those since.
_BEFORE, _SINCE = 500, 200
# Below so many answers nothing is said of how long they take; a few failures say enough.
_ENOUGH = 30
_FAILURES, _FAILING_SHARE = 3, 0.02
_SLOWER, _SLOW_S = 4.0, 0.1


class Watchdog:
    """Sees every recommendation; `verdict` is a sentence where the change should be taken back."""

    def __init__(self) -> None:
        self._before: deque[tuple[float, bool]] = deque(maxlen=_BEFORE)
        self._since: deque[tuple[float, bool]] | None = None

    def saw(self, seconds: float, *, failed: bool) -> None:
        """One answer."""
        (self._before if self._since is None else self._since).append((seconds, failed))

    def change(self) -> None:
        """From now on another bundle answers."""
        if self._since:
            self._before = deque(self._since, maxlen=_BEFORE)
        self._since = deque(maxlen=_SINCE)

    def trust(self) -> None:
        """The change has stood its time: what comes now is what the next one is compared with."""
        if self._since is not None:
            self._before = deque(self._since or self._before, maxlen=_BEFORE)
        self._since = None

    def verdict(self) -> str | None:
        """Why the change should be taken back; None while nothing speaks against it."""
        if not self._since:
            return None
        failed, failed_before = _failed(self._since), _failed(self._before)
        share, share_before = failed / len(self._since), failed_before / max(len(self._before), 1)
        if failed >= _FAILURES and share >= max(_FAILING_SHARE, 2 * share_before):
            return f"{failed} of {len(self._since)} answers failed since it was served"
        if len(self._since) < _ENOUGH or len(self._before) < _ENOUGH:
            return None
        now, before = (median(seconds for seconds, _ in seen) for seen in (self._since, self._before))
        if now > max(_SLOWER * before, _SLOW_S):
            return f"answers took {now * 1e3:.0f} ms since it was served, {before * 1e3:.0f} ms before"
        return None


def _failed(seen: deque[tuple[float, bool]]) -> int:
    return sum(failed for _, failed in seen)
