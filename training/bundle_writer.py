"""Write a bundle: aside first, then in its place as a whole, the same bytes for the same training."""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bundle import FORMAT_VERSION, Bundle, read_bundle
from engine.domain.errors import BadInput
from engine.domain.history import NO_TIME
from engine.golden import check_golden, golden_answer, plain_recommender
from training.fitting import Fitted

_GOLDEN_SLATE = 10
_GOLDEN_HISTORIES = (0, 1, 3, 10)


def write_bundle(out: Path, fitted: Fitted, *, training: Mapping[str, Any], now_us: int) -> Bundle:
    """The bundle, written and read back; its golden requests answered once more from disk.

    `training` is what the manifest says of how it came about; nothing in it may depend on when or where.

    Raises:
        BadInput: something that is not a bundle lies at `out`.
    """
    aside = check_place(out)
    try:
        (aside / "arrays").mkdir(parents=True)
        _write_files(aside, fitted, training, now_us)
        check_golden(read_bundle(aside))
        _put_in_place(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return read_bundle(out)


def check_place(out: Path) -> Path:
    """The folder a bundle for `out` is written to first; found out before training, not after it.

    Raises:
        BadInput: something that is not a bundle lies at `out`.
        OSError: nothing can be written beside `out`.
    """
    if out.exists() and not (out / "manifest.json").is_file():
        raise BadInput(f"{out} exists and is not a bundle: name a new folder with --out, or remove it first")
    _tidy(out)
    aside = out.parent / f".{out.name}.incoming-{os.getpid()}"
    aside.mkdir()
    aside.rmdir()
    return aside


def _tidy(out: Path) -> None:
    """Clear away what killed trainings left, and put back the bundle of one killed between its two renames."""
    for left in out.parent.glob(f".{out.name}.*-*"):
        if Path("/proc", left.name.rpartition("-")[2]).exists():
            continue
        if left.name.startswith(f".{out.name}.old-") and not out.exists():
            left.rename(out)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _write_files(folder: Path, fitted: Fitted, training: Mapping[str, Any], now_us: int) -> None:
    files = {f"arrays/{name}.npy": _npy(array) for name, array in sorted(fitted.arrays.items())}
    files["ids.json"] = _json(fitted.ids)
    files["golden.json"] = _json(_golden(fitted, now_us))
    for name, content in files.items():
        _write(folder / name, content)
    manifest = {
        "format_version": FORMAT_VERSION,
        "settings": fitted.settings,
        "training": training,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }
    content = _json(manifest)
    _write(folder / "manifest.json", content)
    _write(folder / "manifest.sha256", hashlib.sha256(content).hexdigest().encode())


def _golden(fitted: Fitted, now_us: int) -> list[dict[str, Any]]:
    """Requests of invented learners: the most taken up resources as histories, in each of a few courses."""
    bundle = Bundle(Path(), "golden", {"settings": fitted.settings}, fitted.ids, (), fitted.arrays)
    recommender = plain_recommender(bundle)
    resources = fitted.ids["resources"]
    start, end = fitted.arrays["course_starts"][:2]
    votes = fitted.arrays["course_votes"][start:end, 0]
    popular = [resources[fitted.arrays["course_resource"][start + i]] for i in np.argsort(-votes, kind="stable")]
    starts_us = int(max(fitted.arrays["cohort_starts_us"], default=NO_TIME))
    requests = []
    for n, length in enumerate(_GOLDEN_HISTORIES):
        courses = fitted.ids["courses"]
        request = {
            "history": popular[:length],
            "course_id": courses[n % len(courses)] or None,
            "starts_us": starts_us + 1 if starts_us != NO_TIME else NO_TIME,
            "now_us": now_us,
            "k": _GOLDEN_SLATE,
        }
        requests.append({**request, "answer": golden_answer(request, recommender)})
    return requests


def _put_in_place(aside: Path, out: Path) -> None:
    """Swap folders by renaming; a server that mapped the old arrays keeps them until it lets go."""
    old = out.parent / f".{out.name}.old-{os.getpid()}"
    if out.exists():
        out.rename(old)
    try:
        aside.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1).encode()
