"""What is ever answered is found in a log, and asked of a bundle."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from engine.bundle import read_bundle
from engine.domain.resource import Resource
from engine.learner.menu import menu_of
from engine.learner.model import learner_model_from, learner_model_of
from training.answered import LEAST_MET, answers_of, silent_formats


def frame(*rows: tuple[str, str | None, float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        rows,
        schema={"resource_id": pl.String, "item_id": pl.String, "outcome": pl.Float32},
        orient="row",
    ).with_columns(item=pl.coalesce("item_id", "resource_id"))


LOOKS = [("film", None, None)] * LEAST_MET


def told(rows: pl.DataFrame) -> dict[str, int]:
    items = rows["item"].unique()
    return dict(zip(items.to_list(), answers_of(rows, items).tolist(), strict=True))


def test_often_met_and_never_answered_is_silent_and_less_is_not_known() -> None:
    assert told(frame(*LOOKS)) == {"film": -1}
    assert told(frame(*LOOKS[:-1])) == {"film": 0}
    assert told(frame(*LOOKS * 9, ("film", None, 0.0))) == {"film": 1}
    assert told(frame(*LOOKS, ("film", None, float("nan")))) == {"film": -1}
    assert told(frame(("quiz", None, 1.0))) == {"quiz": 1}


def test_an_answer_to_an_item_inside_a_resource_answers_the_resource() -> None:
    opened = [("quiz", None, None)] * 9
    assert told(frame(*opened, ("quiz", "quiz-1", 0.0), ("quiz", "quiz-2", None))) == {
        "quiz": 1,
        "quiz-1": 1,
        "quiz-2": 0,
    }


def test_where_no_resources_are_told_items_stand_alone() -> None:
    rows = frame(*LOOKS).drop("resource_id")
    assert told(rows) == {"film": -1}


def test_a_format_of_which_no_answer_ever_came_is_silent() -> None:
    rows = frame(*LOOKS[:3], *[("other-film", None, None)] * 2, ("quiz", None, 1.0), *[("rare", None, None)] * 4)
    formats = {"film": "video", "other-film": "video", "quiz": "exercise", "rare": "talk", "new": "exercise"}
    assert silent_formats(rows, formats) == {"video"}
    assert silent_formats(rows.head(0), formats) == frozenset()


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return learner_model_of(read_bundle(tiny_bundle))


def answerable(model, *resources: Resource) -> list[bool]:
    return menu_of(resources, {}, model).answerable.tolist()


def test_what_is_known_of_a_resource_counts_before_its_format(model) -> None:
    new = Resource(resource_id="new", title="N", format="video")
    known = Resource(resource_id="r00", title="R", format="video")
    vocabulary = model.vocabulary
    yes, no = (
        replace(
            model,
            vocabulary=replace(vocabulary, answered=np.full(len(vocabulary.item_keys), sign, np.int8)),
            silent_formats=silent,
        )
        for sign, silent in ((1, frozenset({"video"})), (-1, frozenset()))
    )
    assert answerable(yes, known, new) == [True, False]
    assert answerable(no, known, new) == [False, True]


def test_of_an_older_bundle_everything_may_be_answered(tiny_bundle) -> None:
    bundle = read_bundle(tiny_bundle)
    arrays = {name: a for name, a in bundle.arrays.items() if name != "learner_answered"}
    settings = {k: v for k, v in bundle.settings["learner"].items() if k != "silent_formats"}
    older = learner_model_from(arrays, settings, version="older")
    resources = [Resource(resource_id=x, title=x) for x in ("r00", "r01", "new")]
    assert answerable(older, *resources) == [True] * 3
    # In this log nobody ever answered anything, and the bundle of today knows.
    assert "learner_answered" in bundle.arrays
    assert not any(answerable(learner_model_of(bundle), *resources[:2]))
