"""What can go wrong around a server, and the one sentence it says."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.served import COMMAND, environment, key_for, served
from trailmate.cli import main

EVENT = {"events": [{"event_id": "e1", "learner_id": "lena", "resource_id": "r1", "kind": "completed"}]}

Refused = Callable[..., str]


def one_sentence(code: object, out: str, err: str) -> str:
    """What a command that must fail says: one line, no traceback, exit code 1."""
    assert (code, out) == (1, ""), err
    assert len(err.splitlines()) == 1
    assert err.startswith("trailmate: ")
    return err


@pytest.fixture
def refused(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Refused]:
    """Runs a command that must fail, and gives what it says."""
    monkeypatch.setenv("TRAILMATE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        return one_sentence(ended.value.code, *capfd.readouterr())

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def test_an_answered_event_survives_a_kill_and_a_term_ends_it_cleanly(tmp_path: Path) -> None:
    with served(tmp_path / "data") as first, first.client(key_for(tmp_path / "data", "events")) as app:
        assert app.post("/v1/events", json=EVENT).json()["accepted"] == 1
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(10)
    with served(tmp_path / "data") as second:
        with second.client(key_for(tmp_path / "data", "events")) as app:
            told = app.post("/v1/events", json=EVENT).json()
            assert (told["accepted"], told["duplicates"]) == (0, 1)
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(20) == 0


def test_a_taken_port_is_said_before_anything_is_opened(refused: Refused, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port}" in refused("serve", "--port", port)
    assert not (tmp_path / "data").exists()


def test_a_bundle_with_a_flipped_byte_is_not_served(refused: Refused, tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    array = max((bundle / "arrays").glob("*.npy"), key=lambda path: path.stat().st_size)
    content = bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(content)
    assert array.name in refused("serve", "--port", "0", "--bundle", str(bundle))


def _without_right_to_write_anywhere() -> None:
    """Root may write into any folder; without these capabilities it is held to the rights on the disk."""
    drop_from_bounding_set, dac_override, dac_read_search = 24, 1, 2
    for capability in (dac_override, dac_read_search):
        ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0)


def test_a_data_folder_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    held = {"preexec_fn": _without_right_to_write_anywhere} if os.geteuid() == 0 else {}
    ended = subprocess.run(
        [*COMMAND, "serve", "--port", "0"],
        env=environment(tmp_path / "locked"),
        capture_output=True,
        text=True,
        timeout=60,
        **held,
    )
    assert "TRAILMATE_DATA" in one_sentence(ended.returncode, ended.stdout, ended.stderr)


def test_a_scope_that_is_none_is_wrong_usage(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAILMATE_DATA", str(tmp_path / "data"))
    with pytest.raises(SystemExit) as ended:
        main(["keys", "create", "--scopes", "all"])
    assert (ended.value.code, "recommend, events, catalogue" in capfd.readouterr().err) == (2, True)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("load", "nowhere"), "nowhere"),
        (("keys", "create", "--tenant", "A B"), "tenant"),
        (("keys", "revoke", "abc"), "keys list"),
        (("export", "--into", "a-file"), "a-file"),
        (("serve", "--bundle", "nowhere", "--port", "0"), "trailmate train"),
    ],
)
def test_wrong_words_get_one_sentence(refused: Refused, words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("x")
    assert told in refused(*words)
