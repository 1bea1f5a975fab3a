import json
import sys
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from engine.domain.errors import BadInput
from trailmate.cli import main
from training.format_bits import FormatBits, format_bits
from training.format_mix import FormatEvents
from training.learner_evaluation import THIRDS, evaluate_learners
from training.learner_metrics import answer_metrics, pace_metrics
from training.learner_pictures import draw_learner_evaluation

RNG = np.random.default_rng(5)
NO_EVENTS = FormatEvents((), (), *(np.zeros(0, np.int64) for _ in range(6)))
NO_FORMATS = (NO_EVENTS, format_bits(NO_EVENTS))


def predicted(n_learners=75, n_answers=12, **columns):
    """A frame of predictions, rows of the learners interleaved; the last learners have but four answers."""
    rows = [(f"l{x:03d}", i) for i in range(n_answers) for x in range(n_learners) if i < 4 or x < n_learners - 5]
    n = len(rows)
    p = RNG.uniform(0, 1, n)
    frame = {
        "row_id": pl.Series(range(n), dtype=pl.Int64),
        "learner_id": [x_id for x_id, _ in rows],
        "item": [f"i{i % 5}" for _, i in rows],
        "at": pl.Series([None] * n, dtype=pl.Datetime("us", "UTC")),
        "outcome": pl.Series((RNG.uniform(0, 1, n) < p).astype(float), dtype=pl.Float32),
        "duration_s": pl.Series(RNG.lognormal(2, 0.5, n), dtype=pl.Float32),
        "p": p,
        "log_seconds_mean": np.full(n, 2.0),
        "log_seconds_sd": np.full(n, 0.5),
    }
    return pl.DataFrame({**frame, **columns})


def in_groups(groups):
    told = [(f"l{x:03d}", names) for x, names in groups.items()]
    return pl.DataFrame(told, schema={"learner_id": pl.String, "subgroups": pl.List(pl.String)}, orient="row")


NOBODY = in_groups({})


def judged(predictions, subgroups=NOBODY, formats=NO_FORMATS, **more):
    return evaluate_learners(predictions, subgroups, formats, **more).as_json()


def test_the_whole_is_judged_on_every_scored_answer():
    frame = predicted()
    told = judged(frame)["all"]["answers"]
    learner = frame["learner_id"].rank("dense").cast(pl.Int64).to_numpy()
    expected = answer_metrics((frame["outcome"] >= 0.5).to_numpy(), frame["p"].to_numpy(), learner, seed=0)
    assert {n: m["value"] for n, m in told["metrics"].items()} == pytest.approx(
        {n: m.value for n, m in expected.items()}, abs=1e-6
    )
    assert told["metrics"]["auc"]["low"] < told["metrics"]["auc"]["value"] < told["metrics"]["auc"]["high"]
    assert (told["learners"], told["rows"]) == (75, len(frame))
    assert told["metrics"]["learner_auc"]["learners"] <= 70


def test_exposures_are_not_scored_and_do_not_count_among_the_first_five():
    frame = predicted().with_columns(
        outcome=pl.when(pl.int_range(pl.len()).over("learner_id") < 3).then(None).otherwise("outcome")
    )
    told = judged(frame)["all"]
    assert told["answers"]["rows"] == frame["outcome"].count()
    scored = frame.filter(pl.col("outcome").is_not_null())
    first = scored.filter(pl.int_range(pl.len()).over("learner_id") < 5)
    assert told["first_five"]["rows"] == len(first) == 70 * 5 + 5 * 1
    learner = first["learner_id"].rank("dense").cast(pl.Int64).to_numpy()
    expected = answer_metrics((first["outcome"] >= 0.5).to_numpy(), first["p"].to_numpy(), learner, seed=0)["auc"]
    assert told["first_five"]["metrics"]["auc"]["value"] == pytest.approx(expected.value, abs=1e-6)


def test_durations_that_cannot_be_are_left_out_and_short_ones_lifted():
    frame = predicted(n_learners=6, n_answers=1, duration_s=[None, 0.0, -3.0, float("nan"), float("inf"), 0.01])
    told = judged(frame)["all"]["pace"]
    expected = pace_metrics(np.log([0.5]), np.array([2.0]), np.array([0.5]), np.array([0]), seed=0)
    assert told["rows"] == 1
    assert told["metrics"]["mae"]["value"] == pytest.approx(expected["mae"].value, abs=1e-6)
    assert told["metrics"]["nll"]["value"] == pytest.approx(expected["nll"].value, abs=1e-6)


def test_a_cell_of_fewer_than_twenty_learners_is_suppressed_and_says_so():
    groups = in_groups({x: ["g=small"] if x < 19 else ["g=large", "h=all"] for x in range(75)})
    told = judged(predicted(), groups)["subgroups"]
    assert told["g=small"]["answers"] == told["g=small"]["pace"] == {"suppressed": "fewer than 20 learners"}
    assert told["g=large"]["answers"]["learners"] == 56
    assert list(told) == ["g=large", "g=small", "h=all"]


def test_a_metric_of_few_learners_is_suppressed_in_a_cell_of_enough():
    # Twenty-four in the group, but only nineteen with ten answers: their own AUC would tell of too few.
    groups = in_groups({x: ["g=some"] for x in range(51, 75)})
    told = judged(predicted(), groups)["subgroups"]["g=some"]["answers"]["metrics"]
    assert told["learner_auc"] == {"suppressed": "fewer than 20 learners"}
    assert told["auc"]["learners"] == 24


def test_the_thirds_are_by_own_gain_and_hold_everybody_with_ten_answers():
    frame = predicted()
    rises = pl.col("learner_id").str.slice(1).cast(pl.Int64) % 3
    late = pl.int_range(pl.len()).over("learner_id") >= 6
    outcome = pl.when(rises == 0).then(~late).when(rises == 2).then(late).otherwise(pl.col("row_id") % 2 == 0)
    evaluation = evaluate_learners(frame.with_columns(outcome=outcome.cast(pl.Float32)), NOBODY, NO_FORMATS)
    told = evaluation.as_json()
    assert list(told["gain_thirds"]) == list(THIRDS)
    assert [told["gain_thirds"][name]["answers"]["learners"] for name in THIRDS] == [24, 23, 23]
    assert told["gain_unplaced_learners"] == 5
    # Of those that fall, all of the first six answers are right, and of those that rise none: seen in the first five.
    assert told["gain_thirds"]["lower third"]["first_five"]["metrics"]["bias"]["value"] < -0.3
    assert told["gain_thirds"]["upper third"]["first_five"]["metrics"]["bias"]["value"] > 0.3


def test_thirds_of_too_few_learners_are_suppressed():
    told = judged(predicted(n_learners=30))["gain_thirds"]
    assert {str(cell["answers"]) for cell in told.values()} == {"{'suppressed': 'fewer than 20 learners'}"}


def test_formats_are_judged_by_event_and_by_subgroup():
    n = 60
    twice = np.repeat(np.arange(30), 2)
    ids = tuple(f"l{x:03d}" for x in range(30))
    events = FormatEvents(ids, ("reading", "video"), twice, twice, twice, twice, np.arange(n) % 2, twice)
    bits = FormatBits(np.full(n, -2.0), np.full(n, -1.5), np.full(n, -1.0), np.linspace(-1, 0, n))
    groups = in_groups({x: ["half=1"] for x in range(20)})
    told = judged(predicted(), groups, (events, bits))
    assert told["all"]["formats"]["metrics"]["style_over_mix"]["value"] == 0.5
    assert told["all"]["formats"]["metrics"]["left_and_style_over_mix"]["value"] == 1.5
    expected = bits.saved()["style_over_left"][:40].mean()
    assert told["subgroups"]["half=1"]["formats"]["metrics"]["style_over_left"]["value"] == pytest.approx(
        expected, abs=1e-6
    )


def test_where_all_is_of_one_format_there_is_nothing_to_guess():
    once = np.arange(30)
    events = FormatEvents(tuple(f"l{x:03d}" for x in once), ("video",), once, once, once, once, 0 * once, once)
    assert "formats" not in judged(predicted(), NOBODY, (events, format_bits(events)))["all"]


def test_a_log_without_answers_or_a_bundle_without_times_has_no_such_sections():
    frame = predicted(n_learners=3)
    silent = frame.with_columns(
        outcome=pl.lit(None, pl.Float32),
        log_seconds_mean=pl.lit(None, pl.Float64),
        log_seconds_sd=pl.lit(None, pl.Float64),
    )
    told = judged(silent)
    assert (told["all"], told["reliability"], told["gain_thirds"]) == ({}, [], {})
    assert judged(frame.clear())["all"] == {}


def test_a_missing_prediction_is_refused_where_it_would_be_judged():
    frame = predicted(n_learners=4)
    for bad in (None, float("nan"), 1.01):
        with pytest.raises(BadInput, match=r"1 of .* scored answers have no p"):
            judged(frame.with_columns(p=pl.when(pl.col("row_id") == 2).then(bad).otherwise("p")))
    with pytest.raises(BadInput, match="log_seconds_sd above 0"):
        judged(frame.with_columns(log_seconds_sd=pl.lit(0.0)))


def test_the_report_is_json_with_null_for_what_cannot_be_said_and_keeps_the_ranking():
    frame = predicted(n_learners=6)
    ranking = {"metrics": {"blend": {"ndcg@10": {"mean": 0.5, "low": 0.4, "high": 0.6}}}}
    told = judged(frame.with_columns(outcome=pl.lit(0.7, pl.Float32)), ranking=ranking)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["all"]["answers"]["metrics"]["auc"] == {"value": None, "low": None, "high": None, "learners": 6}
    assert told["partial_outcomes"] == len(frame)
    assert told["ranking"] == ranking


def test_pictures_show_what_is_there(tmp_path):
    shown = draw_learner_evaluation(evaluate_learners(predicted(), NOBODY, NO_FORMATS), tmp_path)
    assert sorted(file.name for file in shown) == ["error-by-gain.png", "reliability.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in shown)
    few = draw_learner_evaluation(evaluate_learners(predicted(n_learners=7), NOBODY, NO_FORMATS), tmp_path)
    assert [file.name for file in few] == ["reliability.png"]
    assert draw_learner_evaluation(evaluate_learners(predicted().clear(), NOBODY, NO_FORMATS), tmp_path) == []


@pytest.fixture
def run(tiny_bundle, tiny_log, monkeypatch, capsys):
    """The command on the tiny log, told what the model predicts for its learners."""
    frame = predicted(n_learners=60).with_columns(
        learner_id=pl.format("learner-{}", pl.col("learner_id").str.slice(1).cast(pl.Int64))
    )
    stand_in = SimpleNamespace(predictions_of=lambda bundle, log, report: frame)
    monkeypatch.setitem(sys.modules, "training.prediction", stand_in)

    def call(*more, bundle=tiny_bundle):
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in ("evaluate", bundle, tiny_log, *more)])
        return ended.value.code, capsys.readouterr()

    return call


def test_the_command_prints_and_writes_the_same_tables(run, tmp_path):
    code, said = run("--out", tmp_path / "out", "--json")
    told = json.loads(said.out)
    assert (code, said.err, told["trained_on_this_log"]) == (0, "", True)
    assert told == json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert set(told["all"]) == {"answers", "first_five", "pace", "formats"}
    assert set(told["ranking"]["metrics"]["blend"]) >= {"ndcg@10"}
    files = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert files == ["evaluation.json", "reliability.png"]


def test_the_command_speaks_to_people_and_keeps_under_the_data_folder_by_default(run, tmp_path):
    code, said = run("--data", tmp_path)
    assert code == 0
    for words in ("log_loss", "First five answers", "gain: lower third", "fewer than 20", "NDCG@10", "this very log"):
        assert words in said.out
    assert len(list(tmp_path.glob("evaluations/*/evaluation.json"))) == 1


def test_a_folder_that_is_no_bundle_is_said_in_one_sentence(run, tmp_path):
    code, said = run("--out", tmp_path / "out", bundle=tmp_path)
    assert (code, len(said.err.splitlines())) == (1, 1)
    assert "trailmate train" in said.err
    assert not (tmp_path / "out").exists()
