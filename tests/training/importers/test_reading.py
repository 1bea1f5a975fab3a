"""Files of rows, read in chunks."""

from pathlib import Path

import polars as pl
import pytest

from engine.domain.errors import BadLog
from training.importers import reading
from training.importers.reading import read_chunks, read_whole
from training.log_schema import PROBLEM, ROW


def written(tmp_path: Path, name: str, text: str | bytes) -> Path:
    file = tmp_path / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_a_csv_with_bom_quoted_newlines_and_rows_of_the_wrong_width(tmp_path: Path) -> None:
    text = '\ufefflearner_id,resource_id,note\n5.0,r1,"a\n""b"", c"\n\n6.0,r2\n7.0,,x\n'
    read = read_whole(written(tmp_path, "a.csv", text)).sort(ROW)
    assert read.rows() == [
        ("5", "r1", 'a\n"b", c', 1, None),
        (None, None, None, 2, "the row has 2 cells, the header 3"),
        ("7", None, "x", 3, None),
    ]


def test_jsonl_with_mixed_types_objects_and_broken_lines(tmp_path: Path) -> None:
    lines = [
        '{"learner_id": 5, "skills": ["a", 1], "value": {"x": 1}, "outcome": 1}',
        '{"learner_id": "lena", "outcome": 0.5, "late": true}',
        "",
        "[1]",
        '{"learner_id":',
        b'{"learner_id": "\xff"}'.decode("latin-1"),
    ]
    read = read_whole(written(tmp_path, "a.jsonl", "\n".join(lines)))
    assert read["learner_id"].to_list() == ["5", "lena", None, None, "ÿ"]
    assert read["skills"].to_list() == [["a", "1"], None, None, None, None]
    assert read["value"].to_list()[0] == '{"x":1}'
    assert read["outcome"].to_list() == [1.0, 0.5, None, None, None]
    assert read[PROBLEM].to_list() == [None, None, *["the line is not a JSON object"] * 2, None]
    assert read[ROW].to_list() == [1, 2, 3, 4, 5]


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path) -> None:
    for name in ("b", "a"):
        pl.DataFrame({"learner_id": [name]}).write_parquet(tmp_path / f"{name}.parquet")
    shares: list[float] = []
    chunks = list(read_chunks(tmp_path, progress=shares.append))
    assert [chunk["learner_id"].item() for chunk in chunks] == ["a", "b"]
    assert shares == [0.5, 1.0, 1.0]


def test_text_is_read_in_chunks_with_rows_numbered_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 2)
    csv = written(tmp_path, "a.csv", "x\n" + "1\n" * 5)
    jsonl = written(tmp_path, "a.jsonl", '{"x": 1}\n' * 5)
    for file in (csv, jsonl):
        chunks = list(read_chunks(file, progress=reading.silent))
        assert [chunk[ROW].to_list() for chunk in chunks] == [[1, 2], [3, 4], [5]]


def test_the_kind_is_found_out_without_a_suffix(tmp_path: Path) -> None:
    assert read_whole(written(tmp_path, "a", '{"x": 1}'))["x"].to_list() == ["1"]
    assert read_whole(written(tmp_path, "b", "x\n1"))["x"].to_list() == ["1"]
    pl.DataFrame({"x": [2]}).write_parquet(tmp_path / "c.csv")
    assert read_whole(tmp_path / "c.csv")["x"].to_list() == [2]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "", "is empty; export it again"),
        ("a.csv", "x,y\n", "holds no rows"),
        ("a.csv", "x,x\n1,2\n", "has the column x twice"),
        ("a.csv", b"x\n\xff\xfe\n", "is not UTF-8 text"),
        ("a.csv", 'x\n"never closed\n' + "y\n" * 5, "is not readable as CSV"),
        ("a.json", '[{"x": 1}]', "is one JSON list; write one object per line"),
        ("a.parquet", "x,y\n1,2\n", "is cut off or no Parquet file"),
        ("a.parquet", b"PAR1" + b"\0" * 100, "is cut off or no Parquet file"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(tmp_path: Path, name: str, text: str | bytes, words: str) -> None:
    with pytest.raises(BadLog, match=words):
        read_whole(written(tmp_path, name, text))


def test_nothing_there_and_a_folder_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadLog, match="does not exist; check the path"):
        read_whole(tmp_path / "none.csv")
    with pytest.raises(BadLog, match="is a folder without Parquet files"):
        read_whole(tmp_path)
