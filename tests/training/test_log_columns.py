"""Foreign columns and what they become."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from engine.domain.errors import BadLog
from training.log_columns import readable, without_float_ids


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pl.Series([5, 6]), ["5", "6"]),
        (pl.Series([5.0, None]), ["5", None]),
        (pl.Series([5.5, float("inf")]), [None, None]),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), [str(2**64 - 1)]),
        (pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]),
        (pl.Series(["a"], dtype=pl.Enum(["a"])), ["a"]),
        (pl.Series([None, None]), [None, None]),
    ],
)
def test_text(given: pl.Series, expected: list[str | None]) -> None:
    assert readable(given, "text").to_list() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05T10:00:00Z", at(2026, 1, 5, 10)),
        ("2026-01-05 10:00", at(2026, 1, 5, 10)),
        ("2026-01-05", at(2026, 1, 5)),
        (" 2026-01-05T10:00:00.123456+02:00 ", at(2026, 1, 5, 8, 0, 0, 123456)),
        ("2026-01-05T10:00:00+0530", at(2026, 1, 5, 4, 30)),
        ("2026-02-30", None),
        ("1767607200", None),
        ("soon", None),
        (None, None),
    ],
)
def test_time_of_text(text: str | None, expected: datetime | None) -> None:
    assert readable(pl.Series([text], dtype=pl.String), "time").to_list() == [expected]


@pytest.mark.parametrize(
    "given",
    [
        pl.Series([date(2026, 1, 5)]),
        pl.Series([datetime(2026, 1, 5)], dtype=pl.Datetime("ns")),
        pl.Series([at(2026, 1, 5)], dtype=pl.Datetime("ms", "UTC")),
        pl.Series([at(2026, 1, 5)]).dt.convert_time_zone("Europe/Berlin"),
    ],
)
def test_time_of_every_unit_and_zone(given: pl.Series) -> None:
    read = readable(given, "time")
    assert read.dtype == pl.Datetime("us", "UTC")
    assert read.to_list() == [at(2026, 1, 5)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pl.Series(["a; b;;", None]), [["a", "b"], None]),
        (pl.Series([[1, 2], [], None]), [["1", "2"], [], None]),
        (pl.Series([[1.0, None]]), [["1"]]),
        (pl.Series([[], []], dtype=pl.List(pl.Null)), [[], []]),
        (pl.Series([["a"]], dtype=pl.List(pl.Categorical)), [["a"]]),
        (pl.Series([["a", "b"]], dtype=pl.Array(pl.String, 2)), [["a", "b"]]),
    ],
)
def test_list(given: pl.Series, expected: list[list[str] | None]) -> None:
    assert readable(given, "list").to_list() == expected


def test_numbers_and_truths() -> None:
    assert readable(pl.Series([" 0.5", "x"]), "number").to_list() == [0.5, None]
    assert readable(pl.Series([True, False]), "number").to_list() == [1.0, 0.0]
    assert readable(pl.Series(["3", "3.0", "3.5"]), "whole number").to_list() == [3, 3, None]
    assert readable(pl.Series(["Yes", "0", "maybe"]), "truth").to_list() == [True, False, None]
    assert readable(pl.Series([1, 2]), "truth").to_list() == [True, None]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (pl.Series([True]), "text"),
        (pl.Series([1_700_000_000]), "time"),
        (pl.Series([[["a"]]]), "list"),
        (pl.Series([b"x"]), "number"),
        (pl.Series([0.5]), "truth"),
    ],
)
def test_a_type_that_can_never_be_read_is_refused_in_words(given: pl.Series, wanted: str) -> None:
    with pytest.raises(BadLog, match=r"column at holds .* it must hold .* convert it"):
        readable(given.rename("at"), wanted)


def test_ids_that_a_table_library_made_floats() -> None:
    assert without_float_ids(pl.Series(["5.0", None, "12.0"])).to_list() == ["5", None, "12"]
    assert without_float_ids(pl.Series(["5.0", "5.1"])).to_list() == ["5.0", "5.1"]
