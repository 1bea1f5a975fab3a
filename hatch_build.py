"""Compile the engine's kernels when the package is built or installed; without a compiler the engine does without."""

import hashlib
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Contraction of a * b + c would make machines differ in the last digit.
FLAGS = ("-O3", "-ffp-contract=off", "-fPIC", "-shared")
SOURCES = ("engine/learner/kernels.c", "engine/collaborators/kernels.c")


class KernelsHook(BuildHookInterface):
    """Each C file to one shared library, named by the hash of its source so that a stale one is never loaded."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile beside the sources, which is where an editable install looks as well."""
        compiler = shutil.which(os.environ.get("CC", "cc")) if platform.system() == "Linux" else None
        libraries = [library for source in SOURCES if (library := _library(Path(self.root) / source, compiler))]
        if len(libraries) < len(SOURCES):
            self.app.display_warning("no C compiler: slower Python will keep learners' states and search for groups")
        if not libraries:
            return
        build_data["artifacts"] += [str(library.relative_to(self.root)) for library in libraries]
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def _library(source: Path, compiler: str | None) -> Path | None:
    """The compiled source, or None where it is not yet compiled and cannot be; others' libraries go either way."""
    library = source.with_name(f"_kernels-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}.so")
    for stale in source.parent.glob("_kernels-*.so"):
        if stale != library:
            stale.unlink()
    if not library.exists() and compiler is None:
        return None
    if not library.exists() and compiler is not None:
        aside = library.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, *FLAGS, "-o", str(aside), str(source), "-lm"], check=True)
        aside.rename(library)
    return library
