"""Training that is killed, or runs out of room, leaves the bundle that was there."""

import resource
import signal
import subprocess
import sys
import time

import pytest
from conftest import train_quietly

from engine.bundle import read_bundle

TRAIN = [sys.executable, "-m", "trailmate.cli", "train"]


@pytest.fixture
def standing(tiny_log, tmp_path):
    """A bundle that stands already, and the command that would replace it."""
    out = tmp_path / "bundle"
    train_quietly(tiny_log, out)
    command = [*TRAIN, str(tiny_log), "--out", str(out), "--seed", "5", "--data", str(tmp_path / "data")]
    return out, read_bundle(out).version, command


def test_a_full_disk_gives_one_sentence_and_leaves_the_old_bundle(standing):
    out, version, command = standing

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = subprocess.run(command, preexec_fn=no_room, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert done.stderr.startswith("trailmate: ")
    assert "Traceback" not in done.stderr
    assert read_bundle(out).version == version
    assert sorted(f.name for f in out.parent.iterdir() if f.name != "data") == ["bundle"]


def test_training_that_is_killed_leaves_the_old_bundle(standing):
    out, version, command = standing
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not list(out.parent.glob(".bundle.incoming-*")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.001)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert read_bundle(out).version == version


def test_a_place_that_is_no_bundle_is_refused_before_training(tiny_log, tmp_path):
    (tmp_path / "holiday").mkdir()
    done = subprocess.run(
        [*TRAIN, str(tiny_log), "--out", str(tmp_path / "holiday"), "--data", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1
    assert "is not a bundle" in done.stderr
    assert list((tmp_path / "holiday").iterdir()) == []
