"""`trailmate groups`, end to end: files in, files out, and one sentence for whatever is not as it should be."""

import csv
import json

import numpy as np
import pytest
from matplotlib.image import imread

from engine.collaborators import propose
from engine.collaborators.counts import Count
from engine.collaborators.spec import Rule
from engine.domain.errors import Unavailable
from trailmate.cli import main
from trailmate.cli.group_picture import rule_label

ROSTER = """learner_id,gpa,major,gender,can_code,friend1,friend2,project
a01,3.1,x,f,y,a02,,p1
a02,2.4,y,m,n,a01,a03,p1
a03,3.6,z,f,,a09,,p2
a04,,x,m,n,,,p2
a05,2.9,y,m,y,a06,,p1
a06,3.3,z,f,n,a05,gone,p2
a07,2.2,x,m,n,a08,,p1
a08,3.8,,f,y,a07,,p2
a09,3.0,z,m,n,a03,,
"""
PAST = "learner_id,group,round\na01,1,1\na02,1,1\na03,2,1\na04,2,1\nwho-left,2,1\n"
EVERY_VERB = """
size: 3
rules:
  - {verb: keep_apart, learners: [a01, a08]}
  - {verb: keep_together, learners: [a03, a09]}
  - {verb: balance, by: gpa}
  - {verb: distribute, by: major, weight: 2}
  - {verb: cluster, by: project}
  - {verb: no_one_alone, by: gender, value: f}
  - {verb: at_least_one, by: can_code, value: "y"}
  - {verb: friends, by: [friend1, friend2]}
  - {verb: avoid_repeat, file: past.csv}
  - {verb: lock, learners: [a05], group: 2}
"""


@pytest.fixture
def run(capsys, tmp_path):
    """Group the roster under a specification: exit code, what was said, and where files went."""

    def grouped(spec=EVERY_VERB, *more, roster=ROSTER):
        (tmp_path / "roster.csv").write_bytes(roster if isinstance(roster, bytes) else roster.encode())
        (tmp_path / "spec.yaml").write_bytes(spec if isinstance(spec, bytes) else spec.encode())
        (tmp_path / "past.csv").write_text(PAST)
        files = [str(tmp_path / name) for name in ("roster.csv", "spec.yaml", "groups.csv", "report.json")]
        roster_file, spec_file, out, report = files
        with pytest.raises(SystemExit) as ended:
            main(["groups", roster_file, "--spec", spec_file, "--out", out, "--report", report, *more])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err, tmp_path

    return grouped


def groups_in(path):
    with path.open() as file:
        return {row["learner_id"]: int(row["group"]) for row in csv.DictReader(file)}


def test_every_verb_in_one_class(run):
    code, out, err, folder = run()
    assert code == 0, err
    groups, report = groups_in(folder / "groups.csv"), json.loads((folder / "report.json").read_text())
    assert sorted(groups) == [f"a0{i}" for i in range(1, 10)]
    assert sorted(groups.values()) == [1] * 3 + [2] * 3 + [3] * 3
    assert groups["a01"] != groups["a08"]
    assert groups["a03"] == groups["a09"]
    assert groups["a05"] == 2
    assert set(report) >= {"seed", "seconds", "objective", "bound", "rules", "groups"}
    assert report["bound"] <= report["objective"] + 1e-6
    assert [rule["index"] for rule in report["rules"]] == list(range(10))
    for rule in report["rules"]:
        assert set(rule) >= {"index", "verb", "strength", "broken", "of", "by_group"}
        assert len(rule["by_group"]) == 3
        assert rule["broken"] == 0 or rule["strength"] == "soft"
    assert {rule["verb"]: rule["of"] for rule in report["rules"]} == {
        "keep_apart": 1, "keep_together": 1, "balance": 3, "distribute": 3, "cluster": 3, "no_one_alone": 3,
        "at_least_one": 3, "friends": 8, "avoid_repeat": 2, "lock": 1,
    }  # fmt: skip
    for group in report["groups"]:
        assert group["learners"] == [one for one in groups if groups[one] == group["group"]]
        assert 2 < group["means"]["gpa"] < 4
    assert "3 groups of 3" in out


def test_json_prints_the_report(run):
    code, out, _, folder = run(EVERY_VERB, "--json")
    assert code == 0
    assert json.loads(out) == json.loads((folder / "report.json").read_text())


def test_the_same_seed_writes_the_same_file(run):
    first = run(EVERY_VERB, "--seed", "3")[3].joinpath("groups.csv").read_text()
    assert run(EVERY_VERB, "--seed", "3")[3].joinpath("groups.csv").read_text() == first


def test_several_proposals_lie_beside_the_first(run):
    code, _, _, folder = run("size: 3\nrules: [{verb: balance, by: gpa}]", "--proposals", "3")
    assert code == 0
    told = [groups_in(folder / name) for name in ("groups.csv", "groups.2.csv", "groups.3.csv")]
    assert len({tuple(sorted(one.items())) for one in told}) == 3
    assert len(json.loads((folder / "report.json").read_text())["proposals"]) == 2


def test_a_picture_is_drawn(run, tmp_path):
    code, _, err, _ = run(EVERY_VERB, "--picture", str(tmp_path / "groups.png"))
    assert code == 0, err
    assert imread(tmp_path / "groups.png").shape[0] > 200


def test_hard_rules_in_conflict_are_named(run):
    spec = """{size: 3, rules: [
      {verb: balance, by: gpa}, {verb: keep_apart, learners: [a01, a02]}, {verb: keep_apart, learners: [a04, a05]},
      {verb: keep_together, learners: [a01, a03]}, {verb: keep_together, learners: [a03, a02]}]}"""
    code, out, err, folder = run(spec)
    assert code == 1
    assert json.loads(out) == {"conflict": [1, 3, 4]}
    assert json.loads((folder / "report.json").read_text())["conflict"] == [1, 3, 4]
    assert "rules[1] (keep_apart), rules[3] (keep_together) and rules[4] (keep_together) cannot all hold" in err
    assert not (folder / "groups.csv").exists()
    assert "left as" not in err
    code, out, _, _ = run(spec, "--json")
    assert (code, json.loads(out)["conflict"]) == (1, [1, 3, 4])


def test_what_an_earlier_run_wrote_is_said_to_be_left_where_nothing_new_was(run, monkeypatch):
    _, _, _, folder = run("{size: 3, rules: []}", "--proposals", "2")
    first = (folder / "groups.csv").read_bytes()
    spec = "{size: 3, rules: [{verb: keep_apart, learners: [a01, a02]}, {verb: keep_together, learners: [a01, a02]}]}"
    assert run(spec)[2].rstrip().endswith(f"; {folder / 'groups.csv'} was left as it was")
    told = run(spec, "--proposals", "2")[2]
    assert told.rstrip().endswith(f"; {folder / 'groups.csv'}, {folder / 'groups.2.csv'} were left as they were")

    def nothing(*_, **__):
        raise Unavailable("nothing was found: allow more seconds")

    monkeypatch.setattr(propose, "propose", nothing)
    code, _, err, _ = run("{size: 3, rules: []}")
    assert (code, f"more seconds; {folder / 'groups.csv'} was left as it was" in err) == (1, True)
    assert (folder / "groups.csv").read_bytes() == first


def test_sizes_that_cannot_be_are_a_conflict_of_no_rule(run):
    code, out, err, _ = run('size: "5-7"', roster="learner_id\n" + "\n".join(f"b{i}" for i in range(8)))
    assert (code, json.loads(out), "write a wider size" in err) == (1, {"conflict": []}, True)


@pytest.mark.parametrize(
    "roster",
    [
        "\ufeff" + ROSTER,
        ROSTER.replace("\n", "\r\n"),
        ROSTER.replace(",", ";").replace("3.1", "3,1"),
        ROSTER.replace(",", "\t"),
        ROSTER.replace("a04,,", " a04 ,  ,").replace("a01,3.1", '"a01" , "3.1"'.replace(" ", "")),
        ROSTER + "\n,,,,,,,\n",
        ROSTER.replace(",p1\n", ',"p1, the first"\n'),
        ROSTER.replace(",friend1,friend2,", ",friend2,friend1,"),
    ],
    ids=["bom", "crlf", "semicolons", "tabs", "spaces", "blank-lines", "quoted-commas", "other-order"],
)
def test_awkward_files_are_read(run, roster):
    code, _, err, folder = run(roster=roster)
    assert code == 0, err
    assert len(groups_in(folder / "groups.csv")) == 9


def test_ids_that_are_numbers_stay_as_they_are_written(run):
    roster = "learner_id,yes\n" + "".join(f"{i:03d},{'yes' if i % 2 else 'no'}\n" for i in range(1, 9))
    spec = """size: 4
rules:
  - {verb: keep_together, learners: [001, 002]}
  - {verb: no_one_alone, by: yes, value: yes}
"""
    code, _, err, folder = run(spec, roster=roster)
    assert code == 0, err
    groups = groups_in(folder / "groups.csv")
    assert groups["001"] == groups["002"]
    rule = json.loads((folder / "report.json").read_text())["rules"][1]
    assert (rule["by"], rule["broken"]) == ("yes", 0)


def test_several_friends_in_one_cell(run):
    roster = "learner_id,friends\na,b; c\nb,\nc,\nd,e;nobody\ne,\nf,d"
    code, _, _, folder = run("size: 3\nrules: [{verb: friends, by: friends, strength: hard}]", roster=roster)
    groups = groups_in(folder / "groups.csv")
    assert code == 0
    assert groups["a"] in (groups["b"], groups["c"])
    assert groups["d"] == groups["e"] == groups["f"]


@pytest.mark.parametrize(("n", "size"), [(1, "4"), (3, "12"), (2, '"2-9"')])
def test_one_group_where_there_are_few(run, n, size):
    code, _, err, folder = run(f"size: {size}", roster="learner_id\n" + "\n".join(f"b{i}" for i in range(n)))
    assert code == 0, err
    assert set(groups_in(folder / "groups.csv").values()) == {1}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("size: [", "is not YAML in line 1"),
        ("- size", "not a mapping"),
        ("rules: []", "has no size"),
        ("size: 0", "a whole number from 1"),
        ('size: "5-3"', "a whole number from 1"),
        ("{size: 3, sizes: 4}", "has sizes, which is not known"),
        ("{size: 3, rules: {verb: balance}}", "rules is not a list"),
        ("{size: 3, rules: [{verb: balanse, by: gpa}]}", "rules[0] (balanse) has no known verb: did you mean balance?"),
        ("{size: 3, rules: [{verb: balance}]}", "rules[0] (balance) has no by"),
        ("{size: 3, rules: [{verb: balance, by: gp}]}", "asks for the column gp, which the roster has not: it has gpa"),
        (
            "{size: 3, rules: [{verb: balance, by: major}]}",
            "a01, a02, a03, a04, a05, a06, a07 and a09 have no number in the column major",
        ),
        ("{size: 3, rules: [{verb: balance, by: [gpa, major]}]}", "names several columns"),
        ("{size: 3, rules: [{verb: balance, by: gpa, weight: heavy}]}", "weight is not a number"),
        ("{size: 3, rules: [{verb: balance, by: gpa, weight: -1}]}", "weight is not a number above 0"),
        ("{size: 3, rules: [{verb: balance, by: gpa, strength: firm}]}", "write hard or soft"),
        ("{size: 3, rules: [{verb: balance, by: gpa, value: 3}]}", "does not take value"),
        ("{size: 3, rules: [{verb: at_least_one, by: can_code}]}", "has no value"),
        ("{size: 3, rules: [{verb: keep_apart, learners: [a01]}]}", "fewer than two different learners"),
        ("{size: 3, rules: [{verb: keep_apart, learners: [a01, zzz]}]}", "names zzz, who is not in the roster"),
        ("{size: 3, rules: [{verb: lock, learners: [a01], group: none}]}", "the number of a group"),
        ("{size: 3, rules: [{verb: lock, learners: [a01]}]}", "has no group"),
        ("{size: 3, rules: [{verb: avoid_repeat}]}", "name a CSV with learner_id, group and round"),
        ("{size: 3, rules: [{verb: avoid_repeat, file: nowhere.csv}]}", "does not exist"),
        ("{size: 3, rules: [{verb: avoid_repeat, file: roster.csv}]}", "has no column group"),
        ("{size: 3, rules: [{verb: friends, by: [[a]]}]}", "neither a text nor a list"),
        (b"size: 3 # \xff", "is not UTF-8"),
    ],
)
def test_a_specification_that_is_not_understood(run, spec, says):
    code, out, err, folder = run(spec)
    assert (code, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1
    assert not (folder / "groups.csv").exists()


@pytest.mark.parametrize(
    ("roster", "says"),
    [
        ("", "has no column learner_id"),
        ("id,gpa\na,1", "has no column learner_id"),
        ("learner_id\n", "has no learners"),
        ("learner_id,gpa\na,1\nb,2\na,3", "lines 2 and 4 of the roster have one learner_id"),
        ("learner_id,gpa\na,1\n,2", "line 3 of the roster has no learner_id"),
        ("learner_id,gpa,gpa\na,1,2", "the column gpa twice"),
        ("learner_id,name\na,b,c", "line 2 of the roster has more cells"),
        ('learner_id,name\na,"b', "cannot be read as CSV"),
        (b"learner_id,name\na,\xe4", "is not UTF-8"),
    ],
)
def test_a_roster_that_is_not_understood(run, roster, says):
    code, _, err, _ = run("size: 3", roster=roster)
    assert (code, says in err, err.count("\n")) == (1, True, 1), err


def test_absent_learners_can_be_left_out(run):
    spec = "{size: 3, rules: [{verb: keep_apart, learners: [a01, a02, ill]}, {verb: lock, learners: [gone], group: 1}]}"
    code, out, err, folder = run(spec, "--allow-absent")
    assert code == 0, err
    assert "rules[0] (keep_apart) names ill, who is not in the roster and was left out" in out
    groups = groups_in(folder / "groups.csv")
    assert groups["a01"] != groups["a02"]


def test_what_looks_like_a_slip_is_noted(run):
    spec = "{size: 3, rules: [{verb: no_one_alone, by: gender, value: F}, {verb: at_least_one, by: major, value: q}]}"
    code, out, _, _ = run(spec)
    assert code == 0
    assert "nobody has F in the column gender" in out


def test_a_cluster_with_empty_cells_is_reported(run):
    roster = "learner_id,d\n" + "".join(f"b{i},{d}\n" for i, d in enumerate(5 * "xxyyxxyyzz  "))
    code, out, err, folder = run("size: 3\nrules: [{verb: cluster, by: d}]", "--json", roster=roster)
    assert code == 0, err
    proved = json.loads(out)["proved_best"]
    assert proved is json.loads((folder / "report.json").read_text())["proved_best"]
    assert proved in (True, False)


@pytest.mark.parametrize("seed", range(3))
def test_proposals_under_a_lock_are_different_groupings(run, seed):
    code, _, _, folder = run(EVERY_VERB, "--proposals", "3", "--seed", str(seed))
    assert code == 0
    told = [groups_in(folder / name) for name in ("groups.csv", "groups.2.csv", "groups.3.csv")]
    parts = {frozenset(frozenset(x for x in one if one[x] == g) for g in one.values()) for one in told}
    assert len(parts) == 3
    assert all(one["a05"] == 2 for one in told)


def test_fewer_proposals_than_asked_for_and_files_of_an_earlier_run_are_said(run):
    assert run("size: 3", "--proposals", "3")[0] == 0
    code, out, _, folder = run("size: 9", "--proposals", "3")
    assert code == 0
    notes = json.loads((folder / "report.json").read_text())["notes"]
    assert notes == [
        "only one grouping keeps the hard rules and the size, so there are not 3 proposals",
        "groups.2.csv, groups.3.csv are of an earlier run, not of this one: remove what is not needed",
    ]
    assert all(f"Note: {note}" in out for note in notes)


@pytest.mark.parametrize(("size", "says"), [(40, "more than the 9 learners"), (7, "only once into 9 learners")])
def test_a_size_that_makes_one_group_is_noted(run, size, says):
    code, out, _, _ = run(f"size: {size}")
    assert (code, says in out) == (0, True)
    assert "Note" not in run("size: 9")[1]


@pytest.mark.parametrize(
    ("out", "report", "picture", "says"),
    [
        ("roster.csv", "r.json", "p.png", "--out would overwrite the roster"),
        ("g.csv", "roster.csv", "p.png", "--report would overwrite the roster"),
        ("g.csv", "g.csv", "p.png", "--report would overwrite --out"),
        ("g.csv", "spec.yaml", "p.png", "--report would overwrite the specification"),
        ("g.csv", "r.json", "g.csv", "--picture would overwrite --out"),
        ("g.csv", "r.json", "spec.yaml", "--picture would overwrite the specification"),
        ("g.csv", "g.2.csv", "p.png", "proposal 2 of --out would overwrite --report"),
        ("past.csv", "r.json", "p.png", "--out would overwrite past.csv, which the specification reads"),
        ("link.csv", "r.json", "p.png", "--out would overwrite the roster"),
        ("sub", "r.json", "p.png", "--out is a folder"),
    ],
)
def test_no_file_is_written_over_another(capsys, tmp_path, out, report, picture, says):
    files = {"roster.csv": ROSTER, "spec.yaml": EVERY_VERB, "past.csv": PAST}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "link.csv").symlink_to(tmp_path / "roster.csv")
    (tmp_path / "sub").mkdir()
    there = {*tmp_path.iterdir()}
    told = [f"--{name}={tmp_path / file}" for name, file in (("out", out), ("report", report), ("picture", picture))]
    with pytest.raises(SystemExit) as ended:
        main(["groups", str(tmp_path / "roster.csv"), f"--spec={tmp_path / 'spec.yaml'}", "--proposals=2", *told])
    said = capsys.readouterr().err
    assert (ended.value.code, says in said, said.count("\n")) == (1, True, 1), said
    assert {*tmp_path.iterdir()} == there
    assert all((tmp_path / name).read_text() == text for name, text in files.items())


def test_all_mistakes_are_told_at_once_and_slips_of_the_pen_are_understood(run):
    spec = """{size: 0, rule: [], rules: [
      {verb: keep_apart, learner: [a01, a02]}, {verb: lock, learners: [a01], grp: 2}, {verb: balance, by: gpa}]}"""
    code, _, err, _ = run(spec)
    assert code == 1
    assert "rule, which is not known: did you mean rules?" in err
    assert "size is not understood" in err
    assert "rules[0] (keep_apart) does not take learner: did you mean learners?" in err
    assert "rules[1] (lock) does not take grp: did you mean group?" in err
    assert err.count("\n") == 1
    spec = """{size: 3, rules: [{verb: keep_apart, learners: [a01, q1, q2]}, {verb: balance, by: gpaa},
      {verb: lock, learners: [q3], group: 1}, {verb: dance}]}"""
    code, _, err, _ = run(spec)
    assert code == 1
    assert "rules[3] (dance) has no known verb" in err
    assert "rules[0] (keep_apart) names q1 and q2, who are not in the roster" in err
    assert "rules[1] (balance) asks for the column gpaa" in err
    assert "rules[2] (lock) names q3, who is not in the roster" in err


def test_a_long_list_of_mistakes_is_cut(run):
    def told(n):
        return run("{size: 3, rules: [" + ", ".join(["{verb: dance}"] * n) + "]}")[2].rstrip()

    assert "rules[0] (dance) has no known verb" in told(60)
    assert "rules[39] (dance)" in told(60)
    assert told(60).endswith("and 20 more")
    # Never "and 1 more": that one is told as well.
    assert told(41).count("(dance)") == 41


def columns_of(image, y_from, y_to, colour):
    """The middles of runs of a colour in a band of a picture, in pixels from the left."""
    near = (np.abs(image[y_from:y_to, :, :3] - colour) < 0.03).all(2).any(0)
    edges = np.flatnonzero(np.diff(np.r_[0, near.astype(int), 0]))
    return [(a + b - 1) / 2 for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 5]


def test_dots_stand_over_the_columns_of_their_groups(run, tmp_path):
    # Every group breaks the rule of clusters, so its row is one red cell for each group.
    roster = "learner_id,gpa,d\n" + "".join(f"c{i},{i % 5},{i}\n" for i in range(9))
    spec = "size: 3\nrules: [{verb: balance, by: gpa}, {verb: cluster, by: d}]"
    assert run(spec, "--picture", str(tmp_path / "p.png"), roster=roster)[0] == 0
    image = imread(tmp_path / "p.png")
    red = (np.abs(image[:, :, :3] - np.array([0xB5, 0x46, 0x2F]) / 255) < 0.03).all(2).sum(1)
    row = int(red.argmax())
    cells = columns_of(image, row, row + 1, np.array([0xB5, 0x46, 0x2F]) / 255)
    dots = columns_of(image, 60, row - 60, np.array([0x1B, 0x6E, 0x5A]) / 255)
    assert len(cells) == len(dots) == 3
    assert dots == pytest.approx(cells, abs=2)


def test_very_many_groups_are_drawn_as_shares(run, tmp_path):
    roster = "learner_id,gpa\n" + "".join(f"c{i},{i % 7}\n" for i in range(300))
    spec = "size: 2\nrules: [{verb: balance, by: gpa}]"
    code, _, err, _ = run(spec, "--seconds", "0.2", "--picture", str(tmp_path / "p.png"), roster=roster)
    assert code == 0, err
    assert imread(tmp_path / "p.png").shape[1] < 1100


def test_a_name_in_a_picture_is_no_formula(run, tmp_path):
    roster = "learner_id,$cost_{$\n" + "".join(f"c{i},{i % 7}\n" for i in range(9))
    spec = "size: 3\nrules: [{verb: balance, by: '$cost_{$'}]"
    code, _, err, _ = run(spec, "--picture", str(tmp_path / "p.png"), roster=roster)
    assert code == 0, err


def test_rules_in_a_picture_are_told_apart():
    counts = [
        Count(Rule(3, "keep_apart", hard=True, learners=("a", "b")), 0, 1, (0,)),
        Count(Rule(4, "keep_apart", hard=False, learners=("c", "d")), 1, 1, (1,)),
        Count(Rule(5, "no_one_alone", hard=False, by=("gender",), values=("f",)), 0, 1, (0,)),
    ]
    assert [rule_label(count) for count in counts] == [
        "3  keep_apart (hard): 0 of 1", "4  keep_apart (soft): 1 of 1", "5  no_one_alone gender, f (soft): 0 of 1",
    ]  # fmt: skip


def test_wrong_usage(run, tmp_path):
    assert run(EVERY_VERB, "--picture", str(tmp_path / "nowhere" / "x.png"))[0] == 2
    assert run(EVERY_VERB, "--seconds", "-1")[0] == 2
    assert run(EVERY_VERB, "--proposals", "0")[0] == 2


def test_a_missing_file_is_named(capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["groups", str(tmp_path / "no.csv"), "--spec", "s.yaml", "--out", str(tmp_path / "o.csv")])
    assert ended.value.code == 1
    assert "no.csv does not exist" in capsys.readouterr().err
