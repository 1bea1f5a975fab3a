"""A bundle is verified beside the start, and as strictly as where nothing else goes on."""

import json
import os
import shutil
import signal
from hashlib import sha256
from pathlib import Path

import pytest

from engine.domain.errors import BadBundle
from serving.current_bundle import verified_bundle
from serving.verifying import verifying


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were begun."""
    pids: list[int] = []
    fork = os.fork

    def noted() -> int:
        pid = fork()
        pids.append(pid)
        return pid

    monkeypatch.setattr("os.fork", noted)
    return pids


def _has_ended(pid: int) -> bool:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def test_a_sound_bundle_is_given_once_its_process_has_ended(bundle: Path, begun: list[int]) -> None:
    verified = verifying(bundle)()
    assert verified.version == verified_bundle(bundle).version
    assert len(begun) == 1 and _has_ended(begun[0])


def test_one_altered_byte_is_found(bundle: Path, begun: list[int]) -> None:
    array = max((bundle / "arrays").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(content)
    with pytest.raises(BadBundle, match=array.name):
        verifying(bundle)()
    assert len(begun) == 1 and _has_ended(begun[0])


def test_another_answer_than_in_training_is_found(bundle: Path) -> None:
    golden = json.loads((bundle / "golden.json").read_text())
    golden[0]["answer"][0][1] += 0.01
    _write(bundle, "golden.json", json.dumps(golden).encode())
    with pytest.raises(BadBundle, match="golden"):
        verifying(bundle)()


def test_a_missing_array_is_found(bundle: Path) -> None:
    gone = next((bundle / "arrays").iterdir())
    gone.unlink()
    with pytest.raises(BadBundle, match=gone.name):
        verifying(bundle)()


def test_where_no_bundle_is_nothing_begins(tmp_path: Path, begun: list[int]) -> None:
    with pytest.raises(BadBundle):
        verifying(tmp_path)
    assert begun == []


def test_a_process_that_was_killed_has_verified_nothing(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr("serving.verifying.check_bytes", lambda _bundle: os.kill(os.getpid(), signal.SIGKILL))
    monkeypatch.setattr("serving.verifying.verified_bundle", lambda path: asked.append(path) or verified_bundle(path))
    assert verifying(bundle)().version == verified_bundle(bundle).version
    assert asked == [bundle]


def _write(bundle: Path, name: str, content: bytes) -> None:
    """Replace a file so that all digests are right again."""
    (bundle / name).write_bytes(content)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"][name] = sha256(content).hexdigest()
    told = json.dumps(manifest).encode()
    (bundle / "manifest.json").write_bytes(told)
    (bundle / "manifest.sha256").write_text(sha256(told).hexdigest())
