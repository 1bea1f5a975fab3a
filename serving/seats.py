"""A numbered seat for each process of a server, held until the process ends and then free for the next one."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from engine.domain.errors import Unavailable

MOST = 64


@dataclass(frozen=True, slots=True)
class Seat:
    """The number of a seat, from 0, and the folder it was taken in; `held` is the lock and must stay referred to.

    What is named after seats and not after process ids does not grow when processes come and go.
    """

    folder: Path
    number: int
    held: FileIO

    def free(self) -> None:
        """Let the next one have it."""
        self.held.close()


def take_seat(folder: Path) -> Seat:
    """The lowest free seat in this folder; the system frees it when the process ends, however it ends.

    Raises Unavailable where all are taken, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(MOST):
            # Stays open, and with it the lock, as long as somebody refers to the seat.
            held = FileIO(folder / f"seat-{number}.lock", "a")
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.close()
            else:
                return Seat(folder, number, held)
    except OSError as problem:
        raise Unavailable(
            f"{folder} cannot be written ({problem.strerror}); mend the rights of TRAILMATE_DATA"
        ) from None
    raise Unavailable(
        f"{MOST} processes work in {folder} already; stop some, or give each server its own TRAILMATE_DATA"
    )


def set_aside(path: Path, n_bytes: int) -> None:
    """Make the file at least so large, with its place on the disk: a hole in a file that is mapped into memory would
    end the process that writes into it once the disk is full.

    Raises Unavailable where there is no room for it.
    """
    try:
        with path.open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, n_bytes)
    except OSError as problem:
        raise Unavailable(
            f"{path.parent} takes no {n_bytes:,} bytes more ({problem.strerror}); make room, or mend the rights of "
            "TRAILMATE_DATA"
        ) from None


@contextmanager
def counting_folder(data: Path) -> Iterator[Path]:
    """A folder in which the processes of one server count together, empty at first and gone with the server.

    Two servers on the same data folder get one each. A process forked meanwhile holds it too, so it is not given to
    somebody else before the last of them has ended.
    """
    server = take_seat(data / "metrics")
    folder = server.folder / f"server-{server.number}"
    try:
        # Left by a server that was killed.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder
    finally:
        with suppress(OSError):
            shutil.rmtree(folder)
        server.free()
