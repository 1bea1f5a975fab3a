"""A disk that fills up stops writes, and no server and no answer."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from engine.domain.errors import Unavailable
from serving.quotas import open_quotas
from serving.seats import counting_folder, set_aside
from serving.settings import Settings
from tests.served import Served, key_for, served
from tests.stories.test_counting_together import workers_of

DOORS: list[tuple[str, str, dict[str, object] | None]] = [
    ("POST", "/v1/recommendations", {"learner_id": "lena"}),
    ("GET", "/v1/rules", None),
    ("POST", "/v1/recommendations/batch", {"learner_ids": ["lena", "max"]}),
    ("GET", "/v1/audit", None),
    ("GET", "/nowhere", None),
    ("GET", "/metrics", None),
    ("GET", "/readyz", None),
]


def has_its_place(path: Path) -> bool:
    found = path.stat()
    return found.st_blocks * 512 >= found.st_size > 0


def test_what_is_mapped_into_memory_has_its_place_on_the_disk_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "probe").touch()
    set_aside(tmp_path / "probe", 1 << 16)
    if not has_its_place(tmp_path / "probe"):
        pytest.skip("this file system sets nothing aside")
    with open_quotas(Settings(data=tmp_path, quota_requests_per_minute=1)):
        assert has_its_place(tmp_path / "quotas" / "counts")
    with served(tmp_path, "--workers", "2"):
        files = list((tmp_path / "metrics" / "server-0").glob("*.db"))
        assert len(files) == 8 and all(has_its_place(path) for path in files)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 MB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> None:
    with (disk / "filling").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_ends_no_process_and_refuses_events_alone(
    small_disk: Path, workers: str, tiny_bundle: Path
) -> None:
    limits = {"quota_requests_per_minute": "1000000", "quota_events_per_day": "1000000"}
    with served(small_disk / "data", "--workers", workers, "--bundle", str(tiny_bundle), **limits) as server:
        key = key_for(small_disk / "data", "admin")
        processes = workers_of(server)
        fill(small_disk)
        for _ in range(10):
            for method, path, body in DOORS:
                assert asked_once(server, method, path, key, body) == (404 if path == "/nowhere" else 200), path
            event = {"learner_id": "lena", "resource_id": "r01"}
            assert asked_once(server, "POST", "/v1/events", key, {"events": [event]}) == 503
        assert workers_of(server) == processes and server.process.poll() is None
        (small_disk / "filling").unlink()
        assert asked_once(server, "POST", "/v1/events", key, {"events": [event]}) == 200


def asked_once(server: Served, method: str, path: str, key: str, body: dict[str, object] | None) -> int:
    """The status of one request on a line of its own; whoever breaks it off is not asked again."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.request(method, f"{server.url}{path}", headers=headers, json=body, timeout=20).status_code


def test_a_server_that_finds_no_room_to_count_says_so_and_does_not_begin(tmp_path: Path) -> None:
    with counting_folder(tmp_path) as folder, pytest.raises(Unavailable, match="make room"):
        set_aside(folder / "large", 1 << 60)
