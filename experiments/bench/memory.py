"""Whether the memory of a server stays flat: many minutes of load by learners who come and go, its slope, a picture."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.bench.decision import trained_on
from experiments.bench.http import Rival, served
from experiments.bench.http_load import load
from experiments.bench.school import SIZE, asking, event, filled, telling

Floats = NDArray[np.float64]

RATE, SAMPLE_S, WARM_SHARE = 120.0, 5.0, 0.3
# So many learners at a time, each of whom tells so many events while they stay: more than the server keeps at hand.
_N_AT_A_TIME, _EVENTS_EACH, _TOLD_AT_ONCE, _TELLS = 6_000, 30, 3, 0.1
_BLOCK = 6
_OBJECTIVES = ("uptake", "learning")


def memory(work: Path, *, minutes: float, picture: Path) -> str:
    """Megabytes at the beginning and the end, and the slope with its 95 % interval, as Markdown."""
    place = work / str(SIZE)
    trained_on(place, SIZE)
    database, redis = (os.environ.get(f"TRAILMATE_TEST_{name}_URL", "") for name in ("DATABASE", "REDIS"))
    # Who comes last has only begun: the learners of the first moment have told as much as those of any later one.
    told_before = [_EVENTS_EACH * (_N_AT_A_TIME - i) // _N_AT_A_TIME for i in range(_N_AT_A_TIME)]
    key = filled(place, database, tenant="memory", told=told_before)
    with served(place, redis, database=database) as rival:
        told, answers, refused = _loaded(rival, key, minutes)
    _draw(told, picture)
    warm = told[0] >= told[0, -1] * WARM_SHARE
    rows = [
        f"| {name} | {kept[:12].mean():.1f} | {kept[-12:].mean():.1f} | {_slope(told[0][warm], kept)} |"
        for name, kept in (("RSS", told[1][warm]), ("PSS", told[2][warm]))
    ]
    where = "PostgreSQL and Redis" if database and redis else "PostgreSQL" if database else "SQLite"
    about = (
        f"{minutes:g} minutes on {where}, {answers:,} answers, {refused} of them not 200; the first {WARM_SHARE:.0%} "
        f"fill what is kept at hand and are left out. Picture: {picture}"
    )
    head = "| | first minute, MB | last minute, MB | slope, MB an hour (95 %) |\n|--|--:|--:|--:|"
    return "\n".join([about, "", head, *rows])


def _loaded(rival: Rival, key: str, minutes: float) -> tuple[Floats, int, int]:
    """Minutes since the beginning, RSS and PSS in MB: `(3, n_samples)`; how many were answered, and refused."""
    asked, began, n, refused = _asked(key), time.monotonic(), 0, 0
    told: list[tuple[float, float, float]] = []
    while (now := time.monotonic() - began) < minutes * 60:
        told.append((now / 60, *_megabytes(rival.process.pid)))
        answered = load(rival.port, asked, seconds=SAMPLE_S, rate=RATE)
        n, refused = n + len(answered.times), refused + answered.refused
    return np.array(told).T, n, refused


def _megabytes(pid: int) -> tuple[float, float]:
    """RSS and PSS of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    of = {name.rstrip(":"): int(size) / 1024 for name, size, *_ in map(str.split, lines[1:])}
    return of["Rss"], of["Pss"]


def _asked(key: str) -> Iterator[bytes]:
    """Requests of learners who come and go: now and then one of them tells something, or the next one takes a place."""
    chance, first, n = np.random.default_rng(0), 0, 0
    leaves = _TELLS * _TOLD_AT_ONCE / _EVENTS_EACH
    while True:
        first += chance.random() < leaves
        learner = int(chance.integers(first, first + _N_AT_A_TIME))
        if chance.random() < _TELLS:
            events = [event(f"m{n + i}", learner, chance) for i in range(_TOLD_AT_ONCE)]
            n += len(events)
            yield telling(events, key)
        else:
            yield asking(learner, key, _OBJECTIVES[int(chance.integers(2))])


def _slope(minutes: Floats, values: Floats) -> str:
    """By least squares over means of half a minute, which depend on each other less than single looks do."""
    from scipy import stats

    n = len(values) // _BLOCK * _BLOCK
    x, y = (a[:n].reshape(-1, _BLOCK).mean(1) for a in (minutes / 60, values))
    line = stats.linregress(x, y)
    reach = stats.t.ppf(0.975, len(x) - 2) * line.stderr
    return f"{line.slope:+.2f} ({line.slope - reach:+.2f} to {line.slope + reach:+.2f})"


def _draw(told: Floats, picture: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4))
    axes.plot(told[0], told[1], label="RSS")
    axes.plot(told[0], told[2], label="PSS")
    axes.axvspan(0, told[0, -1] * WARM_SHARE, alpha=0.1)
    axes.set(xlabel="minutes of load", ylabel="MB", ylim=(0, None), title="Memory of one server process")
    axes.legend()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=120)
    plt.close(figure)
