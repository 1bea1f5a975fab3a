"""The model artefact: arrays and a manifest, mapped from disk and verified before use.

    BUNDLE/manifest.json    format version, SHA-256 and shape of each array, settings, training fingerprint
           manifest.sha256  SHA-256 of the manifest itself
           ids.json         resource ids in the order of their rows, and the other id lists
           golden.json      requests with the answers this bundle must give
           arrays/*.npy     little-endian, C order, never pickled

A bundle knows resources, courses and features; it never knows a learner.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import BadBundle

FORMAT_VERSION = 4


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Bundle:
    """A verified bundle. `version` is the first twelve digits of the manifest's SHA-256: same content, same name."""

    path: Path
    version: str
    manifest: Mapping[str, Any]
    ids: Mapping[str, tuple[str, ...]]
    golden: tuple[Mapping[str, Any], ...]
    arrays: Mapping[str, NDArray[Any]]

    @property
    def resource_ids(self) -> tuple[str, ...]:
        """Resource ids in the order of the arrays' rows."""
        return self.ids["resources"]

    @property
    def settings(self) -> Mapping[str, Any]:
        """What training decided: the terms, their weights, half-lives."""
        settings: Mapping[str, Any] = self.manifest["settings"]
        return settings


def read_bundle(path: Path) -> Bundle:
    """The bundle in this folder, every byte checked against its manifest; arrays stay memory-mapped.

    Raises:
        BadBundle: no bundle there, another format version, a file missing or altered.
    """
    manifest, sha256 = _manifest_at(path)
    _check_files(path, manifest)
    return _opened(path, manifest, sha256)


def opened_bundle(path: Path) -> Bundle:
    """The bundle in this folder with nothing but its manifest checked: not to be served before `check_bytes`.

    Raises:
        BadBundle: no bundle there, another format version, an altered manifest.
        OSError, ValueError: a file is missing, or is none of ours.
    """
    return _opened(path, *_manifest_at(path))


def check_bytes(bundle: Bundle) -> None:
    """Check every byte of an opened bundle against its manifest; raises BadBundle."""
    _check_files(bundle.path, bundle.manifest)


def _manifest_at(path: Path) -> tuple[Mapping[str, Any], str]:
    """The manifest and its SHA-256; raises BadBundle."""
    manifest_bytes = _bytes_of(path / "manifest.json")
    manifest = _parsed(manifest_bytes, path / "manifest.json")
    sha256 = hashlib.sha256(manifest_bytes).hexdigest()
    given = manifest.get("format_version") if isinstance(manifest, dict) else None
    if given != FORMAT_VERSION:
        raise BadBundle(
            f"the bundle {path} has format version {given}, this Trailmate reads {FORMAT_VERSION}: "
            "train it again with `trailmate train`"
        )
    if _bytes_of(path / "manifest.sha256") != sha256.encode():
        raise BadBundle(f"{path / 'manifest.json'} is not what training wrote: copy the bundle again or train it again")
    return manifest, sha256


def _check_files(path: Path, manifest: Mapping[str, Any]) -> None:
    for name, expected in manifest["files"].items():
        if hashlib.sha256(_bytes_of(path / name)).hexdigest() != expected:
            raise BadBundle(f"{path / name} is not what training wrote: copy the bundle again or train it again")


def _opened(path: Path, manifest: Mapping[str, Any], sha256: str) -> Bundle:
    ids = _parsed((path / "ids.json").read_bytes(), path / "ids.json")
    return Bundle(
        path=path,
        version=sha256[:12],
        manifest=manifest,
        ids={kind: tuple(x_ids) for kind, x_ids in ids.items()},
        golden=tuple(_parsed((path / "golden.json").read_bytes(), path / "golden.json")),
        arrays={Path(name).stem: _mapped(path / name) for name in manifest["files"] if name.endswith(".npy")},
    )


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise BadBundle(f"{path} is missing: name the folder that `trailmate train LOG --out BUNDLE` wrote") from None


def _parsed(content: bytes, path: Path) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        raise BadBundle(f"{path} is not JSON: copy the bundle again or train it again") from None


def _mapped(path: Path) -> NDArray[Any]:
    try:
        # As plain arrays over the same map: slicing numpy's memmap class is ten times slower.
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except ValueError:
        # An array without elements cannot be mapped.
        array: NDArray[Any] = np.load(path, allow_pickle=False)
        return array
