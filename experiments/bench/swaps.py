"""Bundles that take turns under load: how many swaps, how many answers meanwhile, and how many of them failed."""

import hashlib
import json
import shutil
import threading
import time
from pathlib import Path

from engine.bundle import read_bundle
from experiments.bench.decision import trained_on
from experiments.bench.http import N_LEARNERS, asked_by, filled, served
from experiments.bench.http_load import load
from serving.presence import present_in
from serving.promotion import Place, promote

N_SWAPS, SIZE, PATIENCE_S = 60, 1_000, 60.0


def swaps(work: Path, n: int = N_SWAPS) -> str:
    """Two bundles take turns `n` times while sixteen lines ask all the time."""
    place = work / str(SIZE)
    trained_on(place, SIZE)
    key, data = filled(place), place / "data"
    bundles = _twin_of(place / "bundle", place / "twin"), place / "bundle"
    places = [Place(str(bundle.resolve()), read_bundle(bundle).version) for bundle in bundles]
    took: list[float] = []
    with served(place, "") as rival:
        changing = threading.Thread(target=lambda: took.extend(_swapped(data, places, n)))
        answered = refused = 0
        changing.start()
        while changing.is_alive():
            told = load(rival.port, [asked_by(i, "uptake", SIZE, key) for i in range(N_LEARNERS)], seconds=2.0)
            answered, refused = answered + len(told.times), refused + told.refused
        changing.join()
    took.sort()
    return (
        "| swaps | answers meanwhile | not 200 | median ms, promoted to served | longest |\n|--:|--:|--:|--:|--:|\n"
        f"| {len(took)} | {answered:,} | {refused} | {took[len(took) // 2] * 1e3:,.0f} | {took[-1] * 1e3:,.0f} |"
    )


def _twin_of(bundle: Path, twin: Path) -> Path:
    """The same bundle under another version: its manifest says one thing more."""
    shutil.rmtree(twin, ignore_errors=True)
    shutil.copytree(bundle, twin)
    manifest = json.loads((twin / "manifest.json").read_bytes())
    told = json.dumps({**manifest, "twin": True}).encode()
    (twin / "manifest.json").write_bytes(told)
    (twin / "manifest.sha256").write_text(hashlib.sha256(told).hexdigest())
    return twin


def _swapped(data: Path, places: list[Place], n: int) -> list[float]:
    """How long each swap took, from the file until the server says so."""
    took = []
    for turn in range(n):
        place, before = places[turn % 2], places[(turn + 1) % 2]
        began = time.monotonic()
        promote(data, place, over=places[1].version, serving=before.version)
        while [about.version for about in present_in(data)] != [place.version]:
            if time.monotonic() - began > PATIENCE_S:
                raise SystemExit(
                    f"swap {turn} was not followed within {PATIENCE_S:.0f} s; see {data.parent}/server.log"
                )
            time.sleep(0.01)
        took.append(time.monotonic() - began)
    return took
