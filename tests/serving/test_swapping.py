"""A bundle under which answers get worse is taken back without anybody's doing; one that stood its time stays."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from engine.bundle import read_bundle
from serving import swapping
from serving.app import create_app
from serving.promotion import Place, promote, promoted_in, roll_back
from serving.settings import Settings
from tests.conftest import train_quietly


@pytest.fixture(scope="module")
def other_bundle(tiny_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("other") / "bundle"
    train_quietly(tiny_log, out, seed=1)
    return out


@pytest.fixture
def app(tmp_path: Path, tiny_bundle: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data=tmp_path, bundle=tiny_bundle))) as client:
        yield client


def version_of(bundle: Path) -> str:
    return read_bundle(bundle).version


def promoted(data: Path, bundle: Path, *, over: Path) -> Place:
    place = Place(str(bundle), version_of(bundle))
    promote(data, place, over=version_of(over), serving=version_of(over))
    return place


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def serves(app: TestClient) -> str:
    version: str = app.get("/readyz").json()["model_version"]
    return version


def test_failures_after_a_swap_bring_the_bundle_before_back(
    app: TestClient, tmp_path: Path, tiny_bundle: Path, other_bundle: Path
) -> None:
    place = promoted(tmp_path, other_bundle, over=tiny_bundle)
    until(lambda: serves(app) == place.version)
    dog = app.app.state.house.swapper.watchdog  # type: ignore[attr-defined]
    for _ in range(5):
        dog.saw(0.01, failed=True)
    until(lambda: serves(app) == version_of(tiny_bundle))
    assert "5 of 5 answers failed" in app.get("/readyz").json()["refused"]
    now = promoted_in(tmp_path)
    assert now is not None
    assert (now.current.version, now.before) == (version_of(tiny_bundle), ())
    assert now.refused is not None
    assert now.refused.version == place.version


def test_what_stood_its_time_is_not_taken_back(
    app: TestClient, tmp_path: Path, tiny_bundle: Path, other_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swapping, "WATCHED_S", 0.0)
    place = promoted(tmp_path, other_bundle, over=tiny_bundle)
    until(lambda: serves(app) == place.version)
    time.sleep(0.6)
    dog = app.app.state.house.swapper.watchdog  # type: ignore[attr-defined]
    for _ in range(5):
        dog.saw(0.01, failed=True)
    time.sleep(0.6)
    assert serves(app) == place.version


def test_a_promotion_for_another_bundle_changes_nothing(
    app: TestClient, tmp_path: Path, tiny_bundle: Path, other_bundle: Path
) -> None:
    promoted(tmp_path, other_bundle, over=other_bundle)
    time.sleep(0.8)
    assert serves(app) == version_of(tiny_bundle)
    assert "refused" not in app.get("/readyz").json()


def test_a_file_that_cannot_be_read_is_told_of_and_the_bundle_serves_on(app: TestClient, tmp_path: Path) -> None:
    before = serves(app)
    (tmp_path / "promoted.json").write_text("{")
    until(lambda: "refused" in app.get("/readyz").json())
    assert serves(app) == before


def test_changes_of_the_bundle_are_counted_by_what_they_were(
    tmp_path: Path, tiny_bundle: Path, other_bundle: Path
) -> None:
    def counted(app: TestClient) -> dict[str, float]:
        found = re.findall(r'trailmate_bundle_swaps_total\{what="(\w+)"\} (\S+)', app.get("/metrics").text)
        return {what: float(n) for what, n in found if float(n)}

    one, other = version_of(tiny_bundle), version_of(other_bundle)
    settings = Settings(data=tmp_path, bundle=tiny_bundle)
    with TestClient(create_app(settings)) as app:
        promoted(tmp_path, other_bundle, over=tiny_bundle)
        until(lambda: serves(app) == other)
        assert counted(app) == {"promoted": 1}
        text = app.get("/metrics").text
        assert f'trailmate_bundle{{version="{other}"}} 1.0' in text
        assert f'trailmate_bundle{{version="{one}"}} 0.0' in text
        written = re.findall(r"^trailmate_bundle_written_timestamp_seconds (\S+)$", text, re.MULTILINE)
        assert [float(at) for at in written] == [(other_bundle / "manifest.json").stat().st_mtime]
        roll_back(tmp_path)
        until(lambda: serves(app) == one)
        assert counted(app) == {"promoted": 1, "rolled_back": 1}
        promote(tmp_path, Place(str(tmp_path / "nothing"), other), over=one, serving=one)
        until(lambda: "refused" in app.get("/readyz").json())
        assert counted(app) == {"promoted": 1, "rolled_back": 1, "refused": 1}
    promoted(tmp_path, other_bundle, over=tiny_bundle)
    with TestClient(create_app(settings)) as app:
        assert serves(app) == other
        # What is taken up at the start is no change.
        assert counted(app) == {}
