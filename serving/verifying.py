"""A bundle verified by a process of its own, while this one goes on with its start."""

import os
from collections.abc import Callable
from pathlib import Path

from engine.bundle import Bundle, check_bytes, opened_bundle
from engine.golden import check_golden
from serving.current_bundle import verified_bundle


def verifying(path: Path) -> Callable[[], Bundle]:
    """Begin to verify the bundle at this path; call what is given for it, which waits and raises BadBundle.

    To be called before there is a thread: the process is forked.
    """
    try:
        # Mapped before it is verified, so that what was verified is what is served.
        bundle = opened_bundle(path)
    except (OSError, ValueError):
        return lambda: verified_bundle(path)
    pid = os.fork()
    if pid == 0:
        _verify(bundle)

    def verified() -> Bundle:
        _, status = os.waitpid(pid, 0)
        # Whatever was wrong there is looked for here, where it can be told.
        return bundle if status == 0 else verified_bundle(path)

    return verified


def _verify(bundle: Bundle) -> None:
    """The life of the process; it says with its exit code whether all is right, and never returns."""
    code = 1
    try:
        check_bytes(bundle)
        check_golden(bundle)
        code = 0
    finally:
        os._exit(code)
