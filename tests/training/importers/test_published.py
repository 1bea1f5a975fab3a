"""The published data sets in both layouts, made small here; the real ones where they lie beside the project."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.domain.errors import BadLog
from engine.domain.skill import mended
from training.importers.ednet import read_ednet
from training.importers.foreign import Foreign
from training.importers.junyi import read_junyi
from training.importers.lkt import read_lkt
from training.importers.oulad import read_oulad
from training.importers.reading import silent
from training.log import ImportReport, Log, add_to_log, read_log

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
DATA = Path(__file__).parents[4] / "shared" / "data"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def imported(read: Callable[..., Foreign], paths: Sequence[Path], log: Path) -> tuple[Log, ImportReport]:
    foreign = read(paths, progress=silent)
    tables = {name: getattr(foreign, name) for name in ("resources", "skills", "classes", "learners", "clock")}
    told = add_to_log(
        log, interactions=foreign.interactions, source="set", now=NOW, report=lambda _what, _share: None, **tables
    )
    return read_log(log), told


def rows(log: Log, *names: str) -> list[tuple[Any, ...]]:
    return log.interactions().select(names).sort(names, nulls_last=True).collect().rows()


def real(*parts: str) -> Path:
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip("the real data is not beside the project (../shared/data)")
    return path


def parquet_of(folder: Path, frames: dict[str, pl.DataFrame]) -> Path:
    folder.mkdir()
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
    return folder


def published(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


OULAD = {
    "studentVle.csv": "code_module,code_presentation,id_student,id_site,date,sum_click\n"
    "AAA,2013J,1,100,-10,4\nAAA,2013J,1,100,-10,3\nAAA,2014J,1,200,0,1\nBBB,2013B,2,300,5,2\nBBB,2013B,2,300,?,2\n",
    "vle.csv": "id_site,code_module,code_presentation,activity_type,week_from,week_to\n"
    "100,AAA,2013J,resource,?,?\n200,AAA,2014J,quiz,3,4\n300,BBB,2013B,url,,\n",
    "courses.csv": "code_module,code_presentation,module_presentation_length\n"
    "AAA,2013J,268\nAAA,2014J,269\nBBB,2013B,240\n",
    "assessments.csv": "code_module,code_presentation,id_assessment,assessment_type,date,weight\n"
    "AAA,2013J,9,TMA,19,10\n",
    "studentAssessment.csv": "id_assessment,id_student,date_submitted,is_banked,score\n9,1,18,0,78\n9,2,-1,1,?\n",
    "studentInfo.csv": "code_module,code_presentation,id_student,gender,region,highest_education,imd_band,age_band,"
    "num_of_prev_attempts,studied_credits,disability,final_result\n"
    "AAA,2013J,1,M,Wales,HE,?,0-35,0,60,N,Fail\nAAA,2014J,1,M,Wales,HE,10-20%,0-35,1,60,N,Pass\n",
}
OULAD_PARQUET = {
    "studentVle.csv": "interactions", "vle.csv": "vle_resources", "courses.csv": "courses",
    "assessments.csv": "assessments", "studentAssessment.csv": "learner_assessments", "studentInfo.csv": "learners",
}  # fmt: skip


def oulad_parquet(folder: Path) -> Path:
    """The same set under the names of the Parquet form."""
    frames = {}
    for file, text in OULAD.items():
        new = {
            "id_student": "learner_id",
            "id_site": "resource_id",
            "sum_click": "clicks",
            "date_submitted": "day_submitted",
            "id_assessment": "assessment_id",
            "module_presentation_length": "length_days",
            "date": "due_day" if file == "assessments.csv" else "day",
        }
        frame = pl.read_csv(text.encode(), null_values=["?", ""])
        frames[OULAD_PARQUET[file]] = frame.rename({k: v for k, v in new.items() if k in frame.columns}).with_columns(
            pl.col(name).cast(pl.Categorical) for name in ("code_module", "code_presentation") if name in frame.columns
        )
    return parquet_of(folder, frames)


@pytest.mark.parametrize("layout", ["published", "parquet"])
def test_oulad(tmp_path: Path, layout: str) -> None:
    folder = published(tmp_path / "set", OULAD) if layout == "published" else oulad_parquet(tmp_path / "set")
    log, told = imported(read_oulad, [folder], tmp_path / "log")
    assert log.clock == "day"
    assert rows(log, "learner_id", "resource_id", "class_id", "at", "kind", "outcome", "value") == [
        ("1", "100", "AAA-2013J", utc(2013, 9, 21), "viewed", None, '{"clicks": 7}'),
        ("1", "200", "AAA-2014J", utc(2014, 10, 1), "viewed", None, '{"clicks": 1}'),
        ("1", "assessment-9", "AAA-2013J", utc(2013, 10, 19), "attempted", pytest.approx(0.78), None),
        ("2", "300", "BBB-2013B", utc(2013, 2, 6), "viewed", None, '{"clicks": 2}'),
        ("2", "assessment-9", "AAA-2013J", utc(2013, 9, 30), "submitted", None, '{"banked": true}'),
    ]
    assert dict(told.rejected) == {"learner, resource, day or clicks cannot be read": 1}
    assert (told.read, told.merged, told.added, told.n_rejected) == (7, 1, 5, 1)
    assert pl.read_parquet(tmp_path / "log" / "rejected.parquet")["row"].to_list() == [5]
    learner = log.learners().row(0, named=True)
    assert (learner["learner_id"], learner["classes"]) == ("1", ["AAA-2013J", "AAA-2014J"])
    assert learner["features"] == [
        "highest_education=HE",
        "num_of_prev_attempts=0",
        "num_of_prev_attempts=1",
        "studied_credits=60",
    ]
    assert learner["subgroups"] == ["age_band=0-35", "disability=N", "gender=M", "imd_band=10-20%", "region=Wales"]
    assert log.classes().select("class_id", "course_id", "starts_at").row(2) == ("BBB-2013B", "BBB", utc(2013, 2, 1))
    assert log.resources().select("resource_id", "format", "position", "tags").rows()[1:] == [
        ("200", "quiz", 3, ["AAA", "AAA-2014J"]),
        ("300", "url", None, ["BBB", "BBB-2013B"]),
        ("assessment-9", "assessment", 2, ["AAA", "AAA-2013J", "TMA"]),
    ]


def test_both_layouts_of_oulad_say_the_same(tmp_path: Path) -> None:
    one = imported(read_oulad, [published(tmp_path / "a", OULAD)], tmp_path / "one")[0]
    other = imported(read_oulad, [oulad_parquet(tmp_path / "b")], tmp_path / "other")[0]
    assert one.fingerprint() == other.fingerprint()


QUESTIONS = "question_id,bundle_id,explanation_id,correct_answer,part,tags,deployed_at\n" \
    "q1,b1,e1,b,1,1;2,0\nq2,b1,e1,a,1,-1,0\nq3,b2,e2,c,5,7,0\n"  # fmt: skip
ANSWERS = "timestamp,solving_id,question_id,user_answer,elapsed_time\n" \
    "1565096190868,1,q1,b,20000\n1565096190868,1,q2,c,20000\n1565096190868,1,q1,b,20000\n" \
    "1565096221062,2,q3,,24000\n1565096221063,2,q9,a,1000\n"  # fmt: skip


@pytest.mark.parametrize("layout", ["published", "parquet"])
def test_ednet_counts_the_time_of_a_bundle_once(tmp_path: Path, layout: str) -> None:
    if layout == "published":
        folder = published(tmp_path / "KT1", {"u7.csv": ANSWERS})
        paths = [folder, published(tmp_path / "contents", {"questions.csv": QUESTIONS})]
    else:
        answers = pl.read_csv(ANSWERS.encode()).rename({"timestamp": "ts_ms", "elapsed_time": "elapsed_ms"})
        frames = {"ednet": answers.with_columns(learner_id=pl.lit("u7")), "questions": pl.read_csv(QUESTIONS.encode())}
        paths = [parquet_of(tmp_path / "set", frames)]
    log, told = imported(read_ednet, paths, tmp_path / "log")
    at = datetime.fromtimestamp(1565096190.868, UTC)
    assert rows(log, "at", "learner_id", "resource_id", "item_id", "outcome", "duration_s", "skills") == [
        (at, "u7", "b1", "q1", 1.0, 20.0, ["1", "2"]),
        (at, "u7", "b1", "q2", 0.0, None, []),
        (datetime.fromtimestamp(1565096221.062, UTC), "u7", "b2", "q3", None, 24.0, ["7"]),
    ]
    assert (told.duplicates, dict(told.rejected)) == (1, {"question_id is not among the questions": 1})
    assert log.resources().select("resource_id", "skills", "tags").rows() == [
        ("b1", ["1", "2"], ["part-1"]),
        ("b2", ["7"], ["part-5"]),
    ]


EXERCISES = "name,live,prerequisites,short_display_name,topic,area\n" \
    'a,True,b,A,t1,x\nb,True,"a,ghost",B,,x\na,True,b,A,t1,x\n'  # fmt: skip
PROBLEMS = "user_id,exercise,time_done,time_taken,correct\n5,a,1412150400000000,30,true\n5,b,1412150460000000,8,false\n"


def test_junyi_as_published_has_a_clock_and_a_graph_with_a_cycle(tmp_path: Path) -> None:
    files = {"junyi_Exercise_table.csv": EXERCISES, "junyi_ProblemLog_original.csv": PROBLEMS}
    log, told = imported(read_junyi, [published(tmp_path / "set", files)], tmp_path / "log")
    assert rows(log, "learner_id", "resource_id", "at", "outcome", "duration_s") == [
        ("5", "a", utc(2014, 10, 1, 8), 1.0, 30.0),
        ("5", "b", utc(2014, 10, 1, 8, 1), 0.0, 8.0),
    ]
    assert (told.graph.cycles, told.graph.dangling) == ((("a", "b", "a"),), (("ghost", "b"),))
    assert log.resources().select("title", "skills", "tags").rows() == [("A", ["a"], ["t1", "x"]), ("B", ["b"], ["x"])]


def test_junyi_pairs_have_no_clock(tmp_path: Path) -> None:
    frames = {
        "junyi": pl.DataFrame({"learner_id": [5], "exercise_id": [1], "exercise": ["a"]}),
        "exercises": pl.read_csv(EXERCISES.encode()),
        "prerequisites": pl.DataFrame({"source": ["b"], "target": ["a"]}),
    }
    log = imported(read_junyi, [parquet_of(tmp_path / "set", frames)], tmp_path / "log")[0]
    assert (log.clock, rows(log, "learner_id", "resource_id", "kind")) == ("none", [("5", "a", "viewed")])


TRIALS = (
    "Anon Student Id\tTime\tDuration (sec)\tProblem Name\tOutcome\tKC (Cluster)\tCF (Display Order)\tCF (End Latency)\n"
    's1\t2015-11-02 19:49:38\t32\tA "quoted __ one\tINCORRECT\t15 A\t1\t12005\n'
    "s1\t2015-11-02 19:50:06\t28\tB __\tSTUDY\t14 B\t2\t-1\n"
    "s1\t2015-11-02 19:50:20\t14\tB __\tHINT\t14 B\t3\t900\n"
)


@pytest.mark.parametrize("layout", ["published", "parquet"])
def test_lkt_takes_the_time_to_the_answer_and_knows_study_trials(tmp_path: Path, layout: str) -> None:
    if layout == "published":
        path = published(tmp_path / "set", {"cloze.txt": TRIALS}) / "cloze.txt"
    else:
        names = (
            "learner_id",
            "ts",
            "duration_s",
            "item_id",
            "outcome",
            "skill_cluster",
            "display_order",
            "end_latency_ms",
        )
        frame = pl.read_csv(TRIALS.encode(), separator="\t", quote_char=None, new_columns=names, try_parse_dates=True)
        path = parquet_of(tmp_path / "set", {"lkt_cloze": frame})
    log, told = imported(read_lkt, [path], tmp_path / "log")
    assert rows(log, "at", "resource_id", "kind", "outcome", "duration_s", "skills", "order") == [
        (utc(2015, 11, 2, 19, 49, 38), 'A "quoted __ one', "attempted", 0.0, pytest.approx(12.005), ["15 A"], 1),
        (utc(2015, 11, 2, 19, 50, 6), "B __", "viewed", None, None, ["14 B"], 2),
    ]
    assert dict(told.rejected) == {"outcome is not CORRECT, INCORRECT or STUDY": 1}


@pytest.mark.parametrize("read", [read_oulad, read_ednet, read_junyi, read_lkt])
def test_a_folder_without_the_set_is_refused_in_words(tmp_path: Path, read: Callable[..., Foreign]) -> None:
    with pytest.raises(BadLog, match=r"found no .*; name the "):
        read([tmp_path], progress=silent)
    with pytest.raises(BadLog, match="does not exist; check the path"):
        read([tmp_path / "none"], progress=silent)


@pytest.mark.realdata
def test_the_real_cloze_set(tmp_path: Path) -> None:
    log, told = imported(read_lkt, [real("lkt_cloze")], tmp_path)
    assert (told.added, told.n_rejected, log.clock) == (58_316, 0, "time")
    assert json.loads((tmp_path / "log.json").read_text())["counts"]["learners"] == 478


@pytest.mark.realdata
def test_the_real_junyi_graph_loses_its_three_cycles() -> None:
    skills = read_junyi([real("junyi")], progress=silent).skills
    assert skills is not None
    _, report = mended({x_id: ps or [] for x_id, ps in skills.select("skill_id", "prerequisites").iter_rows()})
    assert [len(cycle) - 1 for cycle in report.cycles] == [3, 1, 1]


@pytest.mark.realdata
def test_the_real_oulad_days_are_summed() -> None:
    foreign = read_oulad([real("oulad")], progress=silent)
    first = next(foreign.interactions)
    days = first.select("learner_id", "resource_id", "at")
    assert days.is_duplicated().sum() == 0
    assert first["event_id"].n_unique() == len(first) > 10_000
