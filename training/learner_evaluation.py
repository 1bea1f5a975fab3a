"""Judge predictions of answers, of times and of formats: over all learners, by subgroup and by how much they gained."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.domain.errors import BadInput
from engine.learner.rows import SHORTEST_S
from training.format_bits import FormatBits
from training.format_mix import FormatEvents
from training.learner_metrics import (
    MIN_ANSWERS,
    N_DRAWS,
    Floats,
    Metric,
    Rows,
    answer_metrics,
    half_gains,
    mean_metrics,
    mean_of_others,
    pace_metrics,
    reliability,
)

Report = Callable[[str, float], None]

SMALLEST_CELL = 20
SUCCESS_FROM = 0.5
FIRST = 5
THIRDS = ("lower third", "middle third", "upper third")
# Pseudo-answers of the overall mean with which an item's predicted difficulty is shrunk.
_DIFFICULTY_STRENGTH = 5.0
_SUPPRESSED = {"suppressed": f"fewer than {SMALLEST_CELL} learners"}

DEFINITIONS = {
    "success": f"an outcome of {SUCCESS_FROM} or more",
    "interval": f"95 % percentile bootstrap over learners, {N_DRAWS} draws",
    "ece": "10 bins of equal width",
    "learner_auc": f"mean AUC over learners with {MIN_ANSWERS} answers or more and both outcomes",
    "bias": "predicted minus observed",
    "first_five": f"the first {FIRST} scored answers of each learner",
    "pace": f"natural log of seconds, at least {SHORTEST_S} s; rows without a positive duration are left out",
    "formats": "bits by event; mix: what others took up that week; left: of that, what was not taken up yet",
    "suppressed": f"cells of fewer than {SMALLEST_CELL} learners are not shown",
    "gain_thirds": (
        "learners by the mean outcome of the later half of their answers minus that of the earlier half, each outcome "
        "less what other learners are predicted on the item; of few answers this is mostly chance, and being sorted "
        "by outcomes alone makes the outer thirds look worse; it describes answers in a log, not people"
    ),
}


@dataclass(frozen=True, slots=True)
class Section:
    """The metrics of some rows of some learners."""

    n_learners: int
    n_rows: int
    metrics: Mapping[str, Metric]

    def as_json(self, smallest: int = 0) -> dict[str, Any]:
        """The table; a metric that rests on fewer learners than `smallest` is suppressed."""
        told = {name: _told(m) if m.n_learners >= smallest else _SUPPRESSED for name, m in self.metrics.items()}
        return {"learners": self.n_learners, "rows": self.n_rows, "metrics": told}


# By name of section; None where it is suppressed. Sections without rows are not there.
Cell = Mapping[str, Section | None]


@dataclass(frozen=True, slots=True)
class LearnerEvaluation:
    """How good the predictions are: `whole`, `by_subgroup`, `by_gain` (thirds), and by bin of the probability.

    `n_unplaced`: learners with too few answers for a third. `ranking`: what training found, None where it is not known.
    """

    whole: Cell
    by_subgroup: Mapping[str, Cell]
    by_gain: Mapping[str, Cell]
    n_unplaced: int
    n_partial: int
    bins: list[dict[str, float]]
    ranking: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """Everything, with numbers that cannot be said as null."""
        return {
            "all": _cell_as_json(self.whole, 0),
            "subgroups": {name: _cell_as_json(cell, SMALLEST_CELL) for name, cell in self.by_subgroup.items()},
            "gain_thirds": {name: _cell_as_json(cell, SMALLEST_CELL) for name, cell in self.by_gain.items()},
            "gain_unplaced_learners": self.n_unplaced,
            "partial_outcomes": self.n_partial,
            "reliability": self.bins,
            "ranking": self.ranking,
            "definitions": DEFINITIONS,
        }


@dataclass(frozen=True, slots=True)
class Rowset:
    """Rows of one section: whose they are `(n,)`, and their metrics for any of them."""

    learner: Rows
    metrics: Callable[[Rows], dict[str, Metric]]

    def section(self, chosen: NDArray[np.bool_], smallest: int) -> Section | None:
        """The section of the chosen learners; None where there are fewer than `smallest`."""
        rows = np.flatnonzero(chosen[self.learner])
        n_learners = len(np.unique(self.learner[rows]))
        return Section(n_learners, len(rows), self.metrics(rows)) if n_learners >= smallest else None


def evaluate_learners(
    predictions: pl.DataFrame,
    subgroups: pl.DataFrame,
    formats: tuple[FormatEvents, FormatBits],
    *,
    ranking: Mapping[str, Any] | None = None,
    seed: int = 0,
    report: Report = lambda _what, _share: None,
) -> LearnerEvaluation:
    """Judge predictions against what they did not see.

    `predictions`: learner_id, item, outcome, duration_s, p, log_seconds_mean, log_seconds_sd, each learner's rows in
    their own sequence. `subgroups`: learner_id, subgroups.

    Raises:
        BadInput: an answer without a probability, or a duration without a predicted time.
    """
    ids = sorted({*predictions["learner_id"].unique(), *formats[0].learner_ids})
    learners = {x_id: row for row, x_id in enumerate(ids)}
    answers = _with_rows(predictions.filter(pl.col("outcome").is_not_null()), learners)
    _check(answers["p"].is_between(0, 1) & answers["p"].is_finite(), "p in [0, 1]", "scored answers")
    rowsets = _answer_rows(answers, seed) | _pace_rows(_with_rows(predictions, learners), seed)
    rowsets |= _format_rows(*formats, learners, seed)
    thirds, n_unplaced = _gain_thirds(answers, len(ids))
    members = {"all": np.ones(len(ids), bool), **_members(subgroups, learners)}
    cells: dict[str, Cell] = {}
    for done, (name, chosen) in enumerate((members | thirds).items()):
        report(f"judging {name}", done / (len(members) + len(thirds)))
        smallest = 0 if name == "all" else SMALLEST_CELL
        cells[name] = {section: rows.section(chosen, smallest) for section, rows in rowsets.items()}
    outcome = answers["outcome"]
    return LearnerEvaluation(
        whole=cells["all"],
        by_subgroup={name: cells[name] for name in list(members)[1:]},
        by_gain={name: cells[name] for name in thirds},
        n_unplaced=n_unplaced,
        n_partial=int(((outcome > 0) & (outcome < 1)).sum()),
        bins=reliability((outcome >= SUCCESS_FROM).to_numpy(), answers["p"].to_numpy()),
        ranking=ranking,
    )


def _with_rows(frame: pl.DataFrame, learners: Mapping[str, int]) -> pl.DataFrame:
    schema = {"learner_id": pl.String, "learner": pl.Int64}
    rows = pl.DataFrame(list(learners.items()), schema=schema, orient="row")
    return frame.join(rows, on="learner_id", maintain_order="left")


def _answer_rows(answers: pl.DataFrame, seed: int) -> dict[str, Rowset]:
    if not len(answers):
        return {}
    success, p = (answers["outcome"] >= SUCCESS_FROM).to_numpy(), answers["p"].to_numpy()
    learner = answers["learner"].to_numpy()
    early = np.flatnonzero(answers.select(pl.int_range(pl.len()).over("learner") < FIRST).to_series().to_numpy())

    def metrics(rows: Rows) -> dict[str, Metric]:
        return answer_metrics(success[rows], p[rows], learner[rows], seed=seed)

    def early_metrics(rows: Rows) -> dict[str, Metric]:
        found = metrics(early[rows])
        return {name: found[name] for name in found if name != "learner_auc"}

    return {"answers": Rowset(learner, metrics), "first_five": Rowset(learner[early], early_metrics)}


def _pace_rows(predictions: pl.DataFrame, seed: int) -> dict[str, Rowset]:
    """The rows with a positive duration; none where the bundle predicts no times at all."""
    usable = pl.col("duration_s").is_finite() & (pl.col("duration_s") > 0)
    timed = predictions.filter(usable)
    mean, sd = timed["log_seconds_mean"], timed["log_seconds_sd"]
    if mean.fill_nan(None).is_null().all():
        return {}
    _check(mean.is_finite() & sd.is_finite() & (sd > 0), "log_seconds_mean and log_seconds_sd above 0", "durations")
    truth = np.log(np.maximum(timed["duration_s"].cast(pl.Float64).to_numpy(), SHORTEST_S))
    means, sds, learner = mean.to_numpy(), sd.to_numpy(), timed["learner"].to_numpy()

    def metrics(rows: Rows) -> dict[str, Metric]:
        return pace_metrics(truth[rows], means[rows], sds[rows], learner[rows], seed=seed)

    return {"pace": Rowset(learner, metrics)}


def _format_rows(events: FormatEvents, bits: FormatBits, learners: Mapping[str, int], seed: int) -> dict[str, Rowset]:
    if len(np.unique(events.format)) < 2:  # nothing to guess
        return {}
    learner = np.array([learners[x_id] for x_id in events.learner_ids])[events.learner]
    values: dict[str, Floats] = {"mix_bits": -bits.mix, "left_bits": -bits.left, **bits.saved()}

    def metrics(rows: Rows) -> dict[str, Metric]:
        return mean_metrics({name: told[rows] for name, told in values.items()}, learner[rows], seed=seed)

    return {"formats": Rowset(learner, metrics)}


def _members(subgroups: pl.DataFrame, learners: Mapping[str, int]) -> dict[str, NDArray[np.bool_]]:
    """Who belongs to each subgroup, by its name: `(n_learners,)`."""
    told = subgroups.filter(pl.col("learner_id").is_in(list(learners))).select("learner_id", "subgroups")
    known = told.explode("subgroups").drop_nulls()
    result = {name: np.zeros(len(learners), bool) for name in known["subgroups"].unique().sort().to_list()}
    for learner_id, name in known.iter_rows():
        result[name][learners[learner_id]] = True
    return {f"subgroup {name}" if name in ("all", *THIRDS) else name: chosen for name, chosen in result.items()}


def _gain_thirds(answers: pl.DataFrame, n_learners: int) -> tuple[dict[str, NDArray[np.bool_]], int]:
    """The learners of each third by gain, and how many have too few answers for one."""
    learner, p = answers["learner"].to_numpy(), answers["p"].to_numpy()
    item = answers["item"].fill_null("").rank("dense").cast(pl.Int64).to_numpy() - 1
    difficulty = mean_of_others(p, item, learner, strength=_DIFFICULTY_STRENGTH)
    gains, n = half_gains(answers["outcome"].cast(pl.Float64).to_numpy() - difficulty, learner)
    placed = np.flatnonzero(n >= MIN_ANSWERS)
    # Rows of learners ascend with their ids, so equal gains are parted by id.
    ordered = placed[np.argsort(gains[placed], kind="stable")]
    everybody = np.arange(n_learners)
    thirds = {name: np.isin(everybody, rows) for name, rows in zip(THIRDS, np.array_split(ordered, 3), strict=True)}
    return (thirds if len(placed) else {}), int((n > 0).sum()) - len(placed)


def _cell_as_json(cell: Cell, smallest: int) -> dict[str, Any]:
    return {name: found.as_json(smallest) if found else _SUPPRESSED for name, found in cell.items()}


def _told(metric: Metric) -> dict[str, float | int | None]:
    numbers = {"value": metric.value, "low": metric.low, "high": metric.high}
    told = {name: round(x, 6) if math.isfinite(x) else None for name, x in numbers.items()}
    return {**told, "learners": metric.n_learners}


def _check(holds: pl.Series, what: str, where: str) -> None:
    n_bad = len(holds) - int(holds.fill_null(value=False).sum())
    if n_bad:
        raise BadInput(f"{n_bad} of {len(holds)} {where} have no {what}: train the bundle again with this version")
