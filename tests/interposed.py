"""What stands between a process and its C library in tests: a clock that can be set, and a death at a given step."""

import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Interposed:
    """The library, and the file that says how far its clock is ahead."""

    library: Path
    offset: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment."""
        return {"LD_PRELOAD": str(self.library), "CLOCK_OFFSET_FILE": str(self.offset)}

    def set_clock(self, ahead_s: float) -> None:
        """So far is the clock of the wall ahead, from now on."""
        with self.offset.open("r+b") as file:
            file.write(struct.pack("=q", int(ahead_s * 1e9)))


def compiled(folder: Path) -> Interposed:
    """The library in this folder; skips the test, with the reason, where nothing can compile it."""
    cc = shutil.which("cc") or shutil.which("gcc")
    if cc is None or not sys.platform.startswith("linux"):
        pytest.skip("no C compiler for tests/interposed.c, or no Linux")
    made = Interposed(folder / "interposed.so", folder / "clock-offset")
    source = Path(__file__).with_suffix(".c")
    subprocess.run([cc, "-O1", "-fPIC", "-shared", "-o", str(made.library), str(source)], check=True)
    made.offset.write_bytes(bytes(8))
    return made
