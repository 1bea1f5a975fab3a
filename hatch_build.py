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


class KernelsHook(BuildHookInterface):
    """One small C file to one shared library, named by the hash of its source so that a stale one is never loaded."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile beside the source, which is where an editable install looks as well."""
        source = Path(self.root) / "engine" / "learner" / "kernels.c"
        library = source.with_name(f"_kernels-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}.so")
        for stale in source.parent.glob("_kernels-*.so"):
            if stale != library:
                stale.unlink()
        if not library.exists() and not self._compiled(source, library):
            return
        build_data["artifacts"].append(str(library.relative_to(self.root)))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def _compiled(self, source: Path, library: Path) -> bool:
        compiler = shutil.which(os.environ.get("CC", "cc"))
        if compiler is None or platform.system() != "Linux":
            self.app.display_warning("no C compiler: the learner's state will be kept by slower Python")
            return False
        aside = library.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, *FLAGS, "-o", str(aside), str(source), "-lm"], check=True)
        aside.rename(library)
        return True
