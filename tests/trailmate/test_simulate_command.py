"""`trailmate simulate`, end to end on a world of nine resources."""

import json
import os
import subprocess
import sys

import pytest

from trailmate.cli import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *(str(a) for a in arguments)])
    said = capsys.readouterr()
    return ended.value.code, said.out + said.err


def simulated(capsys, out, policy, *more, world="toy_world:world"):
    return run(capsys, "--world", world, "--policy", policy, "--learners", 6, "--steps", 4, "--out", out, *more)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept") / "bundle"


def test_trailmate_is_trained_once_and_taught_the_same_way_again(capsys, tmp_path, kept, monkeypatch):
    out = tmp_path / "result.json"
    code, said = simulated(capsys, out, "trailmate", "--train-learners", 30, "--bundle", kept)
    assert code == 0, said
    first, trained = json.loads(out.read_text()), kept.stat().st_mtime_ns
    assert set(first) >= {"policy", "world", "seed", "learners", "gain", "gain_per_step", "gain_per_minute", "harmed"}
    assert set(first["learners"][0]) == {"learner", "start", "end", "gain", "steps", "minutes"}
    assert [x["learner"] for x in first["learners"]] == [f"toy-{1_000_000 + n}" for n in range(6)]
    assert set(first["gain"]) == {"mean", "low", "high"}
    assert set(first["tertiles"]) == {"low", "middle", "high", "gap", "gap_of_mean"}
    assert (first["policy"], first["world"], first["seed"], first["left_out"]) == ("trailmate", "toy_world:world", 0, 0)

    code, said = simulated(capsys, out, "trailmate", "--bundle", kept, "--json")
    assert code == 0, said
    assert json.loads(said) == json.loads(out.read_text()) == first
    assert kept.stat().st_mtime_ns == trained


def test_a_world_without_a_clock_can_be_learned_in_too(capsys, tmp_path):
    world = "toy_world:without_a_clock"
    code, said = simulated(capsys, tmp_path / "r.json", "trailmate", "--train-learners", 30, world=world)
    assert code == 0, said


def test_a_bundle_of_another_world_is_refused(capsys, tmp_path, tiny_bundle):
    code, said = simulated(capsys, tmp_path / "r.json", "trailmate", "--bundle", tiny_bundle)
    assert (code, "knows no resource of this world" in said) == (1, True), said


@pytest.mark.parametrize("policy", ["random", "popularity", "planned_order", "mastery_threshold", "zpdes", "oracle"])
def test_peers_are_told_in_words(capsys, tmp_path, policy):
    code, said = simulated(capsys, tmp_path / "result.json", policy, "--train-learners", 10)
    assert code == 0, said
    assert said.startswith(f"{policy} on toy_world:world: 6 learners\n")
    assert "gain_per_minute" in said
    assert json.loads((tmp_path / "result.json").read_text())["policy"] == policy


@pytest.mark.parametrize(
    ("world", "policy", "code", "words"),
    [
        ("toy_world:silent", "oracle", 1, "no .gain(resource_id)"),
        ("toy_world:broken", "random", 1, "RuntimeError: out of chalk (toy_world.py, line"),
        ("toy_world:no_world", "random", 1, "no method .catalog()"),
        ("toy_world:missing", "random", 1, "no factory missing"),
        ("nowhere_at_all:world", "random", 1, "no module nowhere_at_all"),
        ("toy_world", "random", 1, "MODULE:FACTORY"),
        ("toy_world:world", "guesswork", 2, "choose one of trailmate"),
    ],
)
def test_errors_are_one_sentence_and_leave_nothing(capsys, tmp_path, world, policy, code, words):
    out = tmp_path / "result.json"
    ended, said = simulated(capsys, out, policy, world=world)
    assert (ended, words in said, "Traceback" in said) == (code, True, False), said
    assert not out.exists()


def test_nobody_to_teach_is_said(capsys, tmp_path):
    code, said = simulated(capsys, tmp_path / "r.json", "random", world="toy_world:all_known")
    assert (code, "nobody could gain" in said) == (0, True), said


def test_a_folder_that_is_not_there_is_wrong_usage(capsys, tmp_path):
    code, said = simulated(capsys, tmp_path / "nowhere" / "r.json", "random")
    assert (code, "make it first" in said) == (2, True), said


def test_worlds_are_found_in_the_current_folder_and_on_the_path(tmp_path):
    source = "from toy_world import world as own\n"
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"world_{folder}.py").write_text(source)
    house = os.pathsep.join(p for p in sys.path if p)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "there"), house])}
    for name in ("world_here:own", "world_there:own"):
        command = ["-m", "trailmate.cli", "simulate", "--world", name, "--policy", "random", "--out", "r.json"]
        done = subprocess.run(
            [sys.executable, *command, "--learners", "2"],
            cwd=tmp_path / "here", env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
