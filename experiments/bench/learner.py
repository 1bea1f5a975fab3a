"""The learner model on the judge's attempts, against a rebuilt peer, and how fast it fits, predicts and follows."""

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.bundle import read_bundle
from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.learner.features import NAMES
from engine.learner.fold import caught_up, folded, offer_of
from engine.learner.kernels import Prepared, encode, fold
from engine.learner.mastery import outlook_on
from engine.learner.model import LearnerModel, learner_model_of
from engine.learner.rows import asked_rows
from experiments.bench.circle import TRAILMATE, Cost, measured
from training.attempts import Attempts, attempts_of, vocabulary_of
from training.difficulties import N_FOLDS, fit_statics
from training.trees import grow

SPLITS = ("kt_lkt_cloze", "kt_lkt_latency", "kt_ednet")
N_LEARNERS, N_EACH, N_ITEMS, N_SKILLS = 5_000, 200, 3_000, 60
START = datetime(2025, 9, 1, 8, tzinfo=UTC)
_REPEATS = 5
_DRAWS = 200
# What only this project's features know; the peer does without.
_OURS = ("lean", "regime", "adapted")
_PEER = {"objective": "cross_entropy", "learning_rate": 0.05, "num_leaves": 24, "min_data_in_leaf": 40}


def attempts(judge: Path, work: Path) -> str:
    """The judge's own script on its attempt splits, and the paired difference to the peer: a table in Markdown."""
    rows = [
        "| split | AUC [95 %] | log-loss | ECE | AUC - peer's [95 %] | pace MAE | NLL | cover80 [95 %] "
        "| train s | predict s |",
        "|--|--|--:|--:|--|--:|--:|--|--:|--:|",
    ]
    for split in SPLITS:
        place = (work / split).resolve()
        run = [sys.executable, "run.py", f"splits/{split}", "--work", str(place), "--trailmate", " ".join(TRAILMATE)]
        driven = subprocess.run(run, cwd=judge, capture_output=True, text=True, check=True)
        score, timed, cost = (json.loads(line) for line in driven.stdout.splitlines())
        pace = timed["pace"]
        seconds = {step["command"]: step["seconds"] for step in cost["cost"]}
        difference = _against_peer(judge / "splits" / split, place / "test" / "preds.parquet")
        rows.append(
            f"| {split} | {score['auc']:.4f} {_range(score['auc_ci'])} | {score['logloss']:.4f} | {score['ece']:.4f} | "
            f"{difference} | {pace['mae']:.4f} | {pace['nll']:.4f} | "
            f"{pace['cover80']:.3f} {_range(pace['cover80_ci'])} | {seconds['train']:.1f} | {seconds['predict']:.1f} |"
        )
    return "\n".join(rows)


def speed(work: Path) -> str:
    """A million invented attempts fitted and predicted by the commands, and ratios of the parts: Markdown."""
    work.mkdir(parents=True, exist_ok=True)
    source, log, bundle, out = (work / name for name in ("attempts.parquet", "log", "bundle", "predictions.parquet"))
    _million().write_parquet(source)
    shutil.rmtree(log, ignore_errors=True)
    _run(work, "import", "tables", "--interactions", source, "--into", log, "--json")
    fitting = measured([sys.executable, "-m", "experiments.bench.learner", "fit", str(source)], data=work)
    train = _run(work, "train", log, "--out", bundle, "--json")
    predict = _run(work, "predict", bundle, source, "--out", out, "--json")
    n, fitted = N_LEARNERS * N_EACH, json.loads(fitting.printed)["seconds"]
    model = learner_model_of(read_bundle(bundle))
    ratio, per_row = _encoding(model, source)
    lines = [
        "| what | figure |",
        "|--|--:|",
        f"| fit of the learner model on {n:,} attempts | {fitted:.1f} s, {fitting.peak_mb:.0f} MB |",
        f"| the whole of `trailmate train` on them | {train.seconds:.1f} s, {train.peak_mb:.0f} MB |",
        f"| `trailmate predict` end to end | {predict.seconds:.1f} s, {n / predict.seconds:,.0f} attempts/s |",
        f"| encode | {per_row:.2f} µs a row, {ratio:.1f} × a numpy log1p over as many numbers |",
        *(f"| {what} | {us:.0f} µs |" for what, us in _online(model).items()),
    ]
    return "\n".join(lines)


def _run(work: Path, *given: str | Path) -> Cost:
    return measured([*TRAILMATE, *map(str, given)], data=work)


def fit(source: Path) -> None:
    """Fit on a file of attempts and print the seconds as JSON; a process of its own, so that its memory is its own."""
    from training.learner_models import fit_learner_model

    frame = pl.read_parquet(source).rename({"item_id": "item"})
    start = time.perf_counter()
    fit_learner_model(frame, minutes={}, format_mix={}, seed=0, report=_nobody)
    print(json.dumps({"seconds": time.perf_counter() - start}))


def _nobody(_what: str, _share: float) -> None:
    """Nobody watches."""


def _million() -> pl.DataFrame:
    """Answers by ability, difficulty and practice, a session of twenty a week."""
    rng = np.random.default_rng(0)
    n = N_LEARNERS * N_EACH
    learner, place = np.repeat(np.arange(N_LEARNERS), N_EACH), np.tile(np.arange(N_EACH), N_LEARNERS)
    item = rng.integers(0, N_ITEMS, n)
    logit = rng.normal(0, 1, N_LEARNERS)[learner] - rng.normal(0, 1, N_ITEMS)[item] + 0.004 * place
    minutes = (place // 20) * 10_080 + (place % 20) * 2.0
    at = np.datetime64(START.replace(tzinfo=None), "us") + (minutes * 60e6).astype("timedelta64[us]")
    return pl.DataFrame(
        {
            "row_id": np.arange(n),
            "event_id": [f"e{k}" for k in range(n)],
            "learner_id": [f"l{k}" for k in learner],
            "resource_id": (names := [f"i{k}" for k in item]),
            "item_id": names,
            "skills": [[f"s{k % N_SKILLS}"] for k in item],
            "at": pl.Series(at).dt.replace_time_zone("UTC"),
            "outcome": (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.float64),
            "duration_s": np.exp(rng.normal(3, 0.5, n)),
        }
    )


def _encoding(model: LearnerModel, source: Path) -> tuple[float, float]:
    """Median ratio of encoding to a plain numpy pass over as many numbers, one thread; and µs a row."""
    frame = pl.read_parquet(source).head(100_000).rename({"item_id": "item"})
    told = attempts_of(frame, model.vocabulary)
    folds, columns = np.zeros(told.n_learners, np.int32), np.arange(len(NAMES), dtype=np.int32)
    plain = np.ones((len(told.rows), len(NAMES)), np.float32)
    ours, theirs = [], []
    for _ in range(_REPEATS):
        ours.append(_seconds(lambda: encode(model.prepared, told.rows, told.learner_ptr, folds=folds, columns=columns)))
        theirs.append(_seconds(lambda: np.log1p(plain)))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(ratios), 1e6 * statistics.median(ours) / len(told.rows)


def _online(model: LearnerModel) -> dict[str, float]:
    """Median µs of one learner's event and question, after 300 events on 40 items and 7 skills."""
    offer, events = offer_of([]), [_event(n) for n in range(1_000)]
    state = folded(events[:300], model, offer)
    update, whole, plain = [], [], []
    for event in events[300:]:
        start = time.perf_counter()
        state = caught_up(state, [event], list, model=model, offer=offer)
        update.append(time.perf_counter() - start)
        now = microseconds(event.at)
        start = time.perf_counter()
        outlook_on(state, [("i3", ("s2",))], model, now)
        whole.append(time.perf_counter() - start)
        start = time.perf_counter()
        rows = asked_rows([("i3", ("s2",))], now, model.vocabulary)
        _, _, x = fold(model.prepared, rows, state.whole, state.blocks, update=False, features=True)
        assert x is not None
        model.quick(x[:, model.columns])
        plain.append(time.perf_counter() - start)
    us = {name: 1e6 * statistics.median(v) for name, v in (("u", update), ("w", whole), ("p", plain))}
    return {
        "one update": us["u"],
        "one prediction of success and time": us["w"],
        "one prediction of success without trees": us["p"],
        "one update and one prediction": us["u"] + us["w"],
    }


def _event(n: int) -> Interaction:
    return Interaction(
        event_id=f"e{n:06d}",
        learner_id="a",
        kind="attempted",
        source="bench",
        resource_id=f"i{n % 40}",
        at=START + timedelta(minutes=3 * n),
        outcome=float(n % 3 > 0),
        duration_s=20.0,
        skills=(f"s{n % 7}",),
    )


def _against_peer(split: Path, ours: Path) -> str:
    """The paired difference in AUC to boosted trees over common features, with its interval over learners."""
    frames = [_frame(pl.read_parquet(split / f"{part}.parquet")) for part in ("train", "test")]
    peer = _peer(*frames)
    said = dict(zip(frames[1]["row_id"].to_list(), peer, strict=True))
    truth = pl.read_parquet(split / "truth.parquet").join(pl.read_parquet(ours), on="row_id")
    y = truth["correct"].to_numpy() > 0.5
    p, q = truth["p"].to_numpy(), np.array([said[r] for r in truth["row_id"].to_list()])
    groups = list(truth.with_row_index("at").group_by("learner_id", maintain_order=True).agg("at")["at"])
    rng = np.random.default_rng(7)
    drawn = []
    for _ in range(_DRAWS):
        rows = np.concatenate([groups[k].to_numpy() for k in rng.integers(0, len(groups), len(groups))])
        drawn.append(_auc(y[rows], p[rows]) - _auc(y[rows], q[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{_auc(y, p) - _auc(y, q):+.4f} [{low:+.4f}, {high:+.4f}] (peer {_auc(y, q):.4f})"


def _peer(train: pl.DataFrame, test: pl.DataFrame) -> NDArray[np.float64]:
    """Logits of boosted trees over counts, Elo, decays and gaps, difficulties fitted on the very rows they explain."""
    vocabulary = vocabulary_of(train, {})
    fitted = attempts_of(train, vocabulary)
    statics, _ = fit_statics(fitted, vocabulary)
    columns = np.array([k for k, name in enumerate(NAMES) if not any(o in name for o in _OURS)], np.int32)

    def read(told: Attempts) -> NDArray[np.float32]:
        folds = np.full(told.n_learners, N_FOLDS, np.int32)
        return encode(Prepared(statics), told.rows, told.learner_ptr, folds=folds, columns=columns)

    answered = np.isfinite(fitted.rows.y)
    x = read(fitted)[answered]
    trees = grow(x, fitted.rows.y[answered], n_trees=400, parameters=_PEER, seed=0, threads=1)
    return trees.sums(read(attempts_of(test, vocabulary)))


def _frame(split: pl.DataFrame) -> pl.DataFrame:
    """A split of the judge's as the learner model's frame."""
    at = pl.lit(None, pl.Datetime("us", "UTC"))
    if "ts_s" in split.columns:
        at = (pl.col("ts_s") * 1e6).cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    skills = pl.col("skills").str.split(";").list.eval(pl.element().filter(pl.element() != ""))
    named = split.with_columns(
        item=pl.col("item_id").cast(pl.String), skills=skills, at=at, outcome=pl.col("correct").cast(pl.Float64)
    )
    return named.rename({"seconds": "duration_s"}).sort("learner_id", "at", "seq", maintain_order=True)


def _auc(y: NDArray[np.bool_], p: NDArray[np.float64]) -> float:
    ranks = pl.Series(p).rank("average").to_numpy()
    n = int(y.sum())
    return float((ranks[y].sum() - n * (n + 1) / 2) / (n * (len(y) - n)))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _range(interval: list[float]) -> str:
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"


if __name__ == "__main__":
    fit(Path(sys.argv[2]))
