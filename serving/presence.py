"""What each server process of a data folder serves, for whoever promotes a bundle or looks whether all is well.

DATA/serving/PID.json    one file for each process while it lives
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from engine.domain.errors import Unavailable


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """One process: the version it was started with, the one it serves, and why it refused the last one, if it did."""

    pid: int
    base: str
    version: str
    refused: str | None = None
    refused_version: str | None = None


_read = msgspec.json.Decoder(Presence).decode


def tell_presence(data: Path, *, base: str, version: str, refused: tuple[str, str] | None = None) -> None:
    """Say what this process serves; where that cannot be written nobody is worse off."""
    about = Presence(
        pid=os.getpid(),
        base=base,
        version=version,
        refused_version=refused[0] if refused else None,
        refused=refused[1] if refused else None,
    )
    place = _folder(data) / f"{about.pid}.json"
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(about))
        part.replace(place)


def end_presence(data: Path) -> None:
    """This process serves no more."""
    with suppress(OSError):
        (_folder(data) / f"{os.getpid()}.json").unlink()


def present_in(data: Path) -> list[Presence]:
    """The processes that serve from this folder, by process id; files of the dead are cleared away."""
    found = []
    for place in sorted(_folder(data).glob("*.json")):
        with suppress(OSError, msgspec.DecodeError, ValueError):
            about = _read(place.read_bytes())
            if _is_alive(about.pid):
                found.append(about)
            else:
                place.unlink()
    return found


def served_by(processes: list[Presence]) -> str | None:
    """The version that all of them were started with; None without any. Raises Unavailable where they differ."""
    bases = {about.base for about in processes}
    if len(bases) > 1:
        raise Unavailable("the servers of this data folder were started with different bundles; start them with one")
    return bases.pop() if bases else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A process of another kind may have its number by now.
    with suppress(OSError):
        return b"python" in Path(f"/proc/{pid}/cmdline").read_bytes() or not Path("/proc/self").exists()
    return True


def _folder(data: Path) -> Path:
    return data / "serving"
