"""Right answers raise mastery and wrong ones lower it, however practice and success go together in a small log."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pupils import answers, quiet

from engine.learner.chance import Chance
from engine.learner.features import NAMES
from engine.learner.line import LINE_COLUMNS, Line
from engine.learner.model import arrays_of
from experiments.simulation.generator import write_log
from experiments.simulation.school import build_school
from training import learner_models
from training.attempts import frame_of
from training.law import keeps_law, law_of, mastery_after
from training.learner_models import fit_learner_model
from training.log import read_log
from training.trees import constant

TOLERANCE = 0.01
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOGS = ("simulated school", "invented learners")


def fitted(frame):
    return fit_learner_model(frame, minutes={}, format_mix={"exercise": 1.0}, seed=0, report=quiet)


@pytest.fixture(scope="module", params=LOGS)
def probe(request, tmp_path_factory):
    """The frame, its skills with their items, and what is known of mastery after some outcomes."""
    frame = answers() if request.param == LOGS[1] else simulated(tmp_path_factory.mktemp("school"))
    model = fitted(frame)
    exploded = frame.explode("skills").drop_nulls("skills").filter(pl.col("outcome").is_not_null())
    items = {
        s: i[:5] for s, i in exploded.group_by("skills").agg(pl.col("item").unique().sort()).sort("skills").iter_rows()
    }
    after = cache(lambda skill, outcomes: mastery_after(model, skill, items[skill], outcomes))
    return frame, model, sorted(items), after


def simulated(folder):
    write_log(build_school(120, seed=0, now=NOW), n_steps=50, into=folder / "log")
    return frame_of(read_log(folder / "log"))


def test_wrong_answers_lower_mastery_and_right_ones_leave_it_higher(probe):
    _, _, skills, after = probe
    for skill in skills:
        start = after(skill, ())
        for n in (1, 2, 4, 12):
            wrong, right = after(skill, (0.0,) * n), after(skill, (1.0,) * n)
            assert wrong < start + TOLERANCE, (skill, n)
            assert wrong < right, (skill, n)
        assert after(skill, (0.0,) * 12) < start - 0.03, skill


def test_turning_a_right_answer_wrong_never_raises_mastery(probe):
    _, _, skills, after = probe

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(skills), st.lists(st.sampled_from((0.0, 1.0)), min_size=1, max_size=8), st.data())
    def holds(skill, outcomes, data):
        place = data.draw(st.integers(0, len(outcomes) - 1))
        wrong, right = ((*outcomes[:place], outcome, *outcomes[place + 1 :]) for outcome in (0.0, 1.0))
        assert after(skill, wrong) <= after(skill, right) + TOLERANCE

    holds()


def test_the_probes_tell_a_model_that_keeps_the_law_from_one_that_rewards_misses(probe):
    frame, model, _, _ = probe
    assert keeps_law(model, frame)
    n = len(LINE_COLUMNS)
    against = Line(np.zeros(n), np.ones(n), np.append(-2.0, np.zeros(n - 1)), np.zeros(1))
    assert not keeps_law(replace(model, chance=Chance(constant(0.0), None, against, (0.0, 0.0, 1.0))), frame)


def test_a_larger_log_is_fitted_freely_and_again_where_that_breaks_the_law(monkeypatch):
    frame = answers(30, 20)
    lawful = arrays_of(fitted(frame))
    monkeypatch.setattr(learner_models, "LAWFUL_ROWS", 0)
    for kept in (True, False):
        monkeypatch.setattr(learner_models, "keeps_law", lambda model, frame, kept=kept: kept)
        same = np.array_equal(arrays_of(fitted(frame))["learner_line_weight"], lawful["learner_line_weight"])
        assert same != kept


def test_nothing_is_looked_at_that_a_first_wrong_answer_would_raise():
    law = law_of(np.arange(len(NAMES), dtype=np.int32))
    told = dict(zip(NAMES, zip(law.looked.tolist(), law.sign.tolist(), strict=True), strict=True))
    assert told["rarest.log_wins"] == (True, 1) and told["rarest.log_misses"] == (True, -1)
    assert told["rarest.log_n"] == (True, -1)
    assert not told["rarest.last"][0] and not told["previous"][0] and not told["learner.log_gap"][0]
    assert told["item.log_gap"] == (True, 0)
