"""What one tenant may ask of a server, so that an app gone wild leaves room for the other schools."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from serving.errors import OverQuota
from serving.seats import MOST, Seat, set_aside, take_seat
from serving.settings import Settings

# Tenants a server counts; one more is not limited.
_TENANTS = 8192
_NAME_BYTES = 64
_MINUTE_S, _DAY_S = 60, 86_400
# What is counted: requests in a minute, events in a day. Each number has its period above it in the same 64 bits, so
# that nobody ever reads one with the period of another.
_MINUTE, _DAY = 0, 1
_MOST = 2**32 - 1


@dataclass(slots=True)
class Counts:
    """Requests and events by tenant, written by each worker in a column of its own and read by all, in one file.

    No worker waits for another: each adds to its own numbers and looks at the sum of all.
    """

    path: Path
    seat: Seat
    _names: "np.memmap[Any, np.dtype[np.bytes_]]" = field(init=False)
    _counts: "np.memmap[Any, np.dtype[np.uint64]]" = field(init=False)
    _rows: dict[tuple[str, int], "np.ndarray[Any, np.dtype[np.uint64]]"] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        names, counts = _TENANTS * _NAME_BYTES, _TENANTS * 2 * MOST * 8
        set_aside(self.path, names + counts)
        self._lock.touch()
        self._names = np.memmap(self.path, f"S{_NAME_BYTES}", "r+", shape=(_TENANTS,))
        self._counts = np.memmap(self.path, np.uint64, "r+", offset=names, shape=(_TENANTS, 2, MOST))

    def seen(self, tenant: str, kind: int, period: int) -> int:
        """What all workers counted for the tenant in this period."""
        row = self._row(tenant, kind)
        if row is None:
            return 0
        first = period << 32
        return sum([counted - first for counted in row.tolist() if first <= counted <= first + _MOST])

    def add(self, tenant: str, kind: int, period: int, n: int) -> None:
        """Count `n` more; what was counted in an earlier period is over."""
        row = self._row(tenant, kind)
        if row is not None:
            was_in, before = divmod(int(row[self.seat.number]), _MOST + 1)
            row[self.seat.number] = (period << 32) + min(n + (before if was_in == period else 0), _MOST)

    @property
    def _lock(self) -> Path:
        return self.path.parent / "places.lock"

    def _row(self, tenant: str, kind: int) -> "np.ndarray[Any, np.dtype[np.uint64]] | None":
        """The tenant's numbers, one for each worker; the first to meet a tenant finds a place, one worker at a time."""
        known = self._rows.get((tenant, kind))
        if known is not None:
            return known
        name = hashlib.sha256(tenant.encode()).hexdigest().encode()
        with self._lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            places = np.flatnonzero((self._names == name) | (self._names == b""))
            if not len(places):
                return None
            place = int(places[0])
            self._names[place] = name
        # A plain array over the same bytes: looked at in a third of the time.
        self._rows[tenant, kind] = row = np.asarray(self._counts[place, kind])
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The limits and who has used how much of them; 0 is no limit."""

    requests_per_minute: int
    events_per_day: int
    counts: Counts | None

    @property
    def limits_requests(self) -> bool:
        """Whether anybody's requests are counted."""
        return self.counts is not None and self.requests_per_minute > 0

    def count_request(self, tenant: str, now: datetime) -> None:
        """One request more; raises OverQuota where the minute's are used up."""
        if self.counts is None or not self.requests_per_minute:
            return
        minute, into = divmod(int(now.timestamp()), _MINUTE_S)
        if self.counts.seen(tenant, _MINUTE, minute) >= self.requests_per_minute:
            raise OverQuota(
                f"this school may send {self.requests_per_minute} requests a minute; send the rest after Retry-After",
                retry_after_s=_MINUTE_S - into,
            )
        self.counts.add(tenant, _MINUTE, minute, 1)

    def require_room(self, tenant: str, n_events: int, now: datetime) -> None:
        """Raise OverQuota where so many events more than fill the day; nothing of the batch is kept then."""
        if self.counts is None or not self.events_per_day:
            return
        day, into = divmod(int(now.timestamp()), _DAY_S)
        left = self.events_per_day - self.counts.seen(tenant, _DAY, day)
        if n_events > left:
            raise OverQuota(
                f"this school may tell {self.events_per_day} events a day and {max(left, 0)} are left; "
                "nothing of this batch was kept, send it again after Retry-After",
                retry_after_s=_DAY_S - into,
            )

    def count_events(self, tenant: str, n_events: int, now: datetime) -> None:
        """So many events more were accepted."""
        if self.counts is not None and self.events_per_day:
            self.counts.add(tenant, _DAY, int(now.timestamp()) // _DAY_S, n_events)


@contextmanager
def open_quotas(settings: Settings) -> Iterator[Quotas]:
    """The quotas of a server; where there is a limit, all its processes count in `DATA/quotas`, also over a restart.

    Raises Unavailable where nothing can be written there.
    """
    requests, events = settings.quota_requests_per_minute, settings.quota_events_per_day
    counts = None
    if requests or events:
        folder = settings.data / "quotas"
        counts = Counts(folder / "counts", take_seat(folder))
    try:
        yield Quotas(requests_per_minute=requests, events_per_day=events, counts=counts)
    finally:
        if counts is not None:
            counts.seat.free()
