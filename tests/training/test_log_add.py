"""Adding to a log: what is kept, skipped, repaired and rejected, and what an interruption leaves."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.domain.errors import BadLog, Unavailable
from training import log_add
from training.log import ImportReport, add_to_log, read_log

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
CONFLICT = "event_id was used before with other content"


def silent(_what: str, _share: float) -> None:
    """Tell nobody."""


def add(log: Path, *chunks: list[dict[str, Any]], **more: Any) -> ImportReport:
    frames = [pl.DataFrame(rows, infer_schema_length=None) for rows in chunks]
    return add_to_log(log, **{"interactions": frames, "source": "events.csv", "now": NOW, "report": silent, **more})


def event(number: int, **more: Any) -> dict[str, Any]:
    return {"event_id": f"e{number}", "learner_id": "lena", "resource_id": f"r{number}", **more}


def rejected(log: Path) -> list[tuple[Any, ...]]:
    return sorted(pl.read_parquet(log / "rejected.parquet").select("row", "event_id", "reason").iter_rows())


def tree(log: Path) -> dict[str, bytes]:
    files = (file for file in sorted(log.rglob("*")) if file.is_file())
    return {str(file.relative_to(log)): file.read_bytes() for file in files}


def test_the_same_events_again_are_skipped_and_make_no_batch(tmp_path: Path) -> None:
    rows = [event(1), event(2, outcome=0.5), {"learner_id": "tom", "resource_id": "r1"}]
    assert add(tmp_path, rows).added == 3
    again = add(tmp_path, rows[1:], rows, source="renamed.csv")
    assert (again.batch, again.read, again.added, again.duplicates) == (None, 5, 0, 5)
    assert len(list((tmp_path / "interactions").iterdir())) == 1


def test_a_row_without_id_is_known_by_its_content(tmp_path: Path) -> None:
    rows = [{"learner_id": "tom", "resource_id": "r1", "outcome": o} for o in (0.5, 0.5, 0.25, None)]
    told = add(tmp_path, rows)
    assert (told.added, told.duplicates) == (3, 1)
    made = read_log(tmp_path).interactions().filter(outcome=0.25).collect()["event_id"].item()
    bits = np.float32(0.25).view(np.uint32)
    content = f"learner_id:3:tomresource_id:2:r1kind:9:attemptedoutcome:{len(str(bits))}:{bits}"
    assert made == hashlib.sha256(content.encode()).hexdigest()[:32]


def test_the_same_id_with_other_content_is_rejected_from_this_file_and_from_the_log(tmp_path: Path) -> None:
    told = add(tmp_path, [event(1, outcome=0.5), event(1, outcome=0.5), event(1, outcome=1.0)])
    assert (told.added, told.duplicates, dict(told.rejected)) == (1, 1, {CONFLICT: 1})
    told = add(tmp_path, [event(1, outcome=0.5), event(1, skills=["a"]), event(1) | {"learner_id": "tom"}], source="b")
    assert (told.added, told.duplicates, dict(told.rejected)) == (0, 1, {CONFLICT: 2})
    assert rejected(tmp_path) == [(2, "e1", CONFLICT), (3, "e1", CONFLICT), (3, "e1", CONFLICT)]
    assert read_log(tmp_path).interactions().collect()["outcome"].to_list() == [0.5]


def test_rejected_rows_keep_their_number_and_reason_and_are_kept_once(tmp_path: Path) -> None:
    chunks = (
        [event(1), event(2, outcome=1.5)],
        [event(3) | {"learner_id": None}, event(4, at="soon"), event(5, order="x")],
    )
    for _ in range(2):
        told = add(tmp_path, *chunks)
        assert (told.n_rejected, told.read) == (4, 5)
    assert rejected(tmp_path) == [
        (2, "e2", "outcome must lie in [0, 1]"),
        (3, "e3", "learner_id is missing"),
        (4, "e4", "at is not a time; write it as 2026-11-23T10:00:00Z"),
        (5, "e5", "order is not a whole number"),
    ]
    assert pl.read_parquet(tmp_path / "rejected.parquet")["batch"].unique().to_list() == ["000001-events-csv"]


def test_unusable_durations_are_repaired_and_counted(tmp_path: Path) -> None:
    bad = [-1.0, float("inf"), float("nan"), 1e39]
    told = add(tmp_path, [event(i, duration_s=d) for i, d in enumerate([*bad, 0.0, None])])
    assert (told.added, told.repaired) == (6, 4)
    kept = read_log(tmp_path).interactions().sort("event_id").collect()["duration_s"].to_list()
    assert kept == [None, None, None, None, 0.0, None]


def test_rows_of_the_catalogue_are_checked_too(tmp_path: Path) -> None:
    resources = pl.DataFrame({"resource_id": ["r1", None, "r3", "r3"], "position": ["1", "2", "x", "4"], "hue": 1})
    told = add(tmp_path, [event(1)], resources=resources)
    assert dict(told.rejected) == {"position is not a whole number": 1, "resource_id is missing": 1}
    assert (dict(told.tables), told.unknown_columns) == ({"resources": 2}, ("resources.hue",))
    assert read_log(tmp_path).resources()["position"].to_list() == [1, 4]


def test_needed_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadLog, match=r"learner_id is missing \(found: event_id, resource_id\): rename"):
        add(tmp_path / "log", [{"event_id": "e", "resource_id": "r"}], [{"event_id": "e", "user": "u"}])
    assert not (tmp_path / "log").exists()


def test_an_interruption_at_any_rename_leaves_the_log_readable_and_the_next_import_heals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails each rename in turn; the log is either the old one or has the new batch whole."""
    real, n_renames = Path.replace, 0
    resources = pl.DataFrame({"resource_id": ["r1", "r2"], "title": ["Uno", "Dos"]})

    def new(log: Path) -> ImportReport:
        return add(log, [event(2), event(3, outcome=9)], resources=resources, source="b.csv")

    expected = tmp_path / "expected"
    add(expected, [event(1)], resources=pl.DataFrame({"resource_id": ["r1"], "title": ["One"]}))
    old = read_log(expected).fingerprint()
    new(expected)
    whole = read_log(expected).fingerprint()
    for fails_at in range(10):
        log = tmp_path / str(fails_at)
        add(log, [event(1)], resources=pl.DataFrame({"resource_id": ["r1"], "title": ["One"]}))
        n_renames = 0

        def replace(self: Path, target: Path, fails_at: int = fails_at) -> Path:
            nonlocal n_renames
            n_renames += 1
            if n_renames > fails_at:
                raise OSError(28, "No space left on device", str(target))
            return real(self, target)

        monkeypatch.setattr(Path, "replace", replace)
        try:
            new(log)
            finished = True
        except OSError:
            finished = False
        monkeypatch.setattr(Path, "replace", real)
        assert read_log(log).fingerprint() in ((whole,) if finished else (old, whole))
        new(log)
        assert read_log(log).fingerprint() == whole
        assert set(tree(log)) - {".lock"} >= {"log.json", "rejected.parquet", "resources.parquet"}
        if finished:
            break
    assert finished
    assert n_renames == 5


def test_a_kill_in_the_midst_leaves_the_old_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    add(log, [event(1)])
    before = tree(log)
    pl.DataFrame({"learner_id": pl.int_range(400_000, eager=True), "resource_id": "r"}).write_parquet(
        tmp_path / "big.parquet"
    )
    start = [sys.executable, "-c", "from trailmate.cli import main; main()"]
    command = [*start, "import", "tables", "--interactions", "big.parquet", "--into", "log"]
    running = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    until = time.monotonic() + 60
    while not list(log.glob(".incoming/*")) and running.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    assert running.poll() is None
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert list(log.glob(".incoming/*"))
    assert {name: text for name, text in tree(log).items() if ".incoming" not in name} == before
    assert read_log(log).interactions().collect()["event_id"].to_list() == ["e1"]
    add(log, [event(2)])
    assert not (log / ".incoming").exists()
    assert len(read_log(log).interactions().collect()) == 2


def test_two_imports_at_once_are_refused(tmp_path: Path) -> None:
    def meanwhile() -> Iterator[pl.DataFrame]:
        with pytest.raises(Unavailable, match="another import is writing"):
            add(tmp_path, [event(2)])
        yield pl.DataFrame([event(1)])

    assert add_to_log(tmp_path, interactions=meanwhile(), source="s", now=NOW, report=silent).added == 1
    assert add(tmp_path, [event(2)]).added == 1


def test_no_more_than_two_chunks_are_alive_at_any_moment(tmp_path: Path) -> None:
    alive: set[int] = set()
    most = 0

    def chunks() -> Iterator[pl.DataFrame]:
        nonlocal most
        for number in range(8):
            frame = pl.DataFrame([event(number)])
            alive.add(number)
            weakref.finalize(frame, alive.discard, number)
            most = max(most, len(alive))
            yield frame

    assert add_to_log(tmp_path, interactions=chunks(), source="s", now=NOW, report=silent).added == 8
    assert most <= 2


def test_progress_goes_up_to_one(tmp_path: Path) -> None:
    shares: list[float] = []
    add(tmp_path, [event(1)], report=lambda _what, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert log_add.ImportReport is ImportReport


def peak_megabytes(log: Path, table: Path) -> float:
    """The most memory an import held; not by `getrusage`, which counts what the parent held as well."""
    script = (
        "import re, sys\nfrom pathlib import Path\nfrom trailmate.cli import main\n"
        "try:\n    main(['import', 'tables', '--interactions', sys.argv[1], '--into', sys.argv[2]])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    command = [sys.executable, "-c", script, str(table), str(log)]
    run = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    return int(run.stdout.splitlines()[-1]) / 1024


@pytest.mark.soak
def test_memory_stays_flat_as_the_file_grows(tmp_path: Path) -> None:
    """Wide rows, a fourfold file of 450 MB: held whole, it alone would add 340 MB."""
    peaks = []
    for n_rows in (200_000, 800_000):
        rows = pl.select(number=pl.int_range(n_rows)).select(
            learner_id=pl.col("number") % 5000,
            resource_id=pl.col("number") % 800,
            value=pl.format('{{"note": "{}"}}', pl.col("number").cast(pl.String).str.zfill(500)),
        )
        rows.write_parquet(tmp_path / f"{n_rows}.parquet")
        peaks.append(peak_megabytes(tmp_path / f"log-{n_rows}", tmp_path / f"{n_rows}.parquet"))
    assert peaks[1] < 1.25 * peaks[0], peaks
