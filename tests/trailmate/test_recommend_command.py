import pytest

from trailmate.cli import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    said = capsys.readouterr()
    return ended.value.code, said.out + said.err


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("learner_id,as_of\nlearner-1,soon\n", "no times"),
        ("learner_id\nlearner-1\nlearner-1\n", "twice"),
        ("name\nlena\n", "no column learner_id"),
    ],
)
def test_a_bad_file_of_learners_is_refused_with_the_next_step(tiny_bundle, tiny_log, tmp_path, capsys, table, words):
    (tmp_path / "learners.csv").write_text(table)
    out = tmp_path / "out.csv"
    code, said = run(capsys, "recommend", tiny_bundle, tiny_log, "--learners", tmp_path / "learners.csv", "--out", out)
    assert (code, words in said, out.exists()) == (1, True, False), said


def test_a_file_that_is_not_there_is_called_so(tiny_bundle, tiny_log, tmp_path, capsys):
    out = tmp_path / "out.csv"
    code, said = run(capsys, "recommend", tiny_bundle, tiny_log, "--learners", tmp_path / "nosuch.csv", "--out", out)
    assert (code, "does not exist" in said) == (1, True)


def test_each_learner_is_asked_at_their_own_moment(tiny_bundle, tiny_log, tmp_path, capsys):
    (tmp_path / "learners.csv").write_text("learner_id,as_of\nlearner-0,2024-09-01T00:00:00Z\nlearner-4,\nnobody,\n")
    out = tmp_path / "out.csv"
    code, said = run(
        capsys, "recommend", tiny_bundle, tiny_log, "--learners", tmp_path / "learners.csv", "--k", 30, "--out", out
    )
    assert code == 0, said
    rows = [line.split(",") for line in out.read_text().splitlines()[1:]]
    # Before the first day learner-0 had taken nothing up, so everything is still a candidate.
    assert sum(r[0] == "learner-0" for r in rows) == sum(r[0] == "nobody" for r in rows) == 24
    assert sum(r[0] == "learner-4" for r in rows) < 24


@pytest.mark.parametrize(("name", "form"), [("out.csv", "CSV"), ("out.jsonl", "JSONL"), ("out.parquet", "Parquet")])
def test_it_is_said_in_which_form_they_were_written(tiny_bundle, tiny_log, tmp_path, capsys, name, form):
    out = tmp_path / name
    code, said = run(capsys, "recommend", tiny_bundle, tiny_log, "--out", out)
    assert (code, f"as {form}." in said) == (0, True), said
    assert out.read_bytes().startswith({"CSV": b"learner_id,", "JSONL": b"{", "Parquet": b"PAR1"}[form])


@pytest.mark.parametrize("name", ["out.xyz", "out", "nowhere/out.csv"])
def test_an_ending_that_says_no_format_is_refused_before_any_work(tmp_path, capsys, name):
    # There is neither a bundle nor a log, which would be found out first by any work.
    for command in (
        ["recommend", tmp_path / "none", tmp_path / "none"],
        ["predict", tmp_path / "none", tmp_path / "x"],
    ):
        code, said = run(capsys, *command, "--out", tmp_path / name)
        assert (code, "--out" in said) == (2, True), said
        assert ("make it first" if "/" in name else ".parquet, .csv, .jsonl") in " ".join(said.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", ["-1", "99999999999"])
def test_a_seed_out_of_range_is_wrong_usage(tiny_log, tmp_path, capsys, seed):
    code, said = run(capsys, "train", tiny_log, "--out", tmp_path / "bundle", "--seed", seed)
    assert (code, "--seed" in said) == (2, True)


def test_a_data_folder_that_cannot_be_written_is_found_before_training(tiny_log, tmp_path, capsys):
    (tmp_path / "a file").write_text("")
    code, said = run(capsys, "train", tiny_log, "--out", tmp_path / "bundle", "--data", tmp_path / "a file")
    assert code == 1
    assert "check the path" in said
    assert not (tmp_path / "bundle").exists()
