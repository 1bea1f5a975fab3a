import json
import shutil
from pathlib import Path

import pytest
from conftest import small_settings, train_quietly, write_log

from engine.bundle import FORMAT_VERSION, read_bundle
from engine.domain.errors import BadInput, BadLog, Unavailable
from training.bundle_writer import check_place
from training.pipeline import Tracking, register, train


def content(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_same_log_and_seed_give_the_same_bytes_wherever_and_in_whatever_order(tiny_log, tiny_bundle, tmp_path):
    train_quietly(tiny_log, tmp_path / "again")
    assert content(tmp_path / "again") == content(tiny_bundle)


def test_another_seed_gives_another_bundle(tiny_log, tiny_bundle, tmp_path):
    other = train_quietly(tiny_log, tmp_path / "other", seed=1)
    assert other.version != read_bundle(tiny_bundle).version


def test_the_evaluation_sees_the_checkerboard(tiny_bundle):
    told = read_bundle(tiny_bundle).manifest["training"]
    metrics = told["evaluation"]["metrics"]
    assert metrics["blend"]["ndcg@10"]["mean"] > metrics["popularity"]["ndcg@10"]["mean"]
    assert (
        metrics["blend"]["ndcg@10"]["low"] <= metrics["blend"]["ndcg@10"]["mean"] <= metrics["blend"]["ndcg@10"]["high"]
    )
    assert told["clock"] == "time"
    assert len(told["log_fingerprint"]) == 64


def test_a_log_without_a_clock_trains_without_decay(tmp_path):
    bundle = train_quietly(write_log(tmp_path / "log", clock=False), tmp_path / "bundle")
    assert bundle.settings["half_lives_days"] == []
    assert bundle.manifest["training"]["clock"] == "none"
    assert bundle.manifest["training"]["evaluation"]["learners"] > 0


def test_training_replaces_a_bundle_as_a_whole_and_nothing_else(tiny_log, tmp_path):
    out = tmp_path / "bundle"
    first = train_quietly(tiny_log, out)
    (out / "left over").write_text("of the old one")
    second = train_quietly(tiny_log, out, seed=1)
    assert second.version != first.version
    assert not (out / "left over").exists()
    assert [f.name for f in tmp_path.iterdir()] == ["bundle"]
    (tmp_path / "holiday").mkdir()
    with pytest.raises(BadInput, match="is not a bundle"):
        train_quietly(tiny_log, tmp_path / "holiday")


def test_what_killed_trainings_left_is_tidied_and_a_half_done_swap_put_back(tiny_log, tiny_bundle, tmp_path):
    gone = 2**22 + 1  # above the highest process id there can be
    shutil.copytree(tiny_bundle, tmp_path / f".bundle.old-{gone}")
    (tmp_path / f".bundle.incoming-{gone}").mkdir()
    check_place(tmp_path / "bundle")
    assert [f.name for f in tmp_path.iterdir()] == ["bundle"]
    assert read_bundle(tmp_path / "bundle").version == read_bundle(tiny_bundle).version


def test_a_log_in_which_nobody_took_anything_up_is_refused(tmp_path):
    import polars as pl
    from conftest import NOW

    from training.log import add_to_log

    shown = pl.DataFrame({"learner_id": ["a"], "resource_id": ["r"], "kind": ["shown"]})
    add_to_log(tmp_path / "log", interactions=[shown], source="t", now=NOW, report=lambda what, share: None)
    with pytest.raises(BadLog, match="import some first"):
        train_quietly(tmp_path / "log", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.filterwarnings("ignore")  # MLflow warns of its own libraries
def test_the_run_is_tracked_and_registered_with_its_own_copy_of_the_bundle(tiny_log, tmp_path):
    from training.registry import CHALLENGER, EXPERIMENT, MODEL, mlflow

    done = train(tiny_log, tmp_path / "bundle", settings=small_settings(), seed=0, report=lambda what, share: None)
    tracking = Tracking(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    assert register(done, tracking) == "1"
    client = mlflow.MlflowClient(tracking.uri, tracking.uri)
    version = client.get_model_version_by_alias(MODEL, CHALLENGER)
    run = client.get_run(version.run_id)
    assert run.data.metrics["blend.ndcg_at_10"] == pytest.approx(done.evaluation.flat()["blend.ndcg@10"])
    assert run.data.params["seed"] == "0"
    assert run.data.tags["log"] == done.bundle.manifest["training"]["log_fingerprint"]
    assert client.get_experiment(run.info.experiment_id).name == EXPERIMENT
    kept = Path(version.source.removeprefix("file://"))
    assert read_bundle(kept).version == done.bundle.version
    assert next(kept.parent.glob("pictures/*.png")).read_bytes().startswith(b"\x89PNG")
    assert not (Path.cwd() / "mlruns").exists()


@pytest.mark.filterwarnings("ignore")  # MLflow warns of its own libraries
def test_a_tracking_store_that_cannot_be_written_leaves_the_bundle_and_says_so(tiny_log, tmp_path):
    done = train(tiny_log, tmp_path / "bundle", settings=small_settings(), seed=0, report=lambda what, share: None)
    (tmp_path / "a file").write_text("where a folder should be")
    nowhere = Tracking(f"sqlite:///{tmp_path / 'a file' / 'mlflow.db'}", tmp_path / "artifacts")
    with pytest.raises(Unavailable, match="the bundle is written"):
        register(done, nowhere)
    assert json.loads((tmp_path / "bundle" / "manifest.json").read_text())["format_version"] == FORMAT_VERSION
