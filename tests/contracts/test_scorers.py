"""One suite for every model of what goes with what: checkerboard data, whose right answer is visible."""

import numpy as np
import pytest

from engine.domain.history import NO_TIME, History
from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.ranking.beside import beside_from
from engine.ranking.collaborative import Ease, Factors
from engine.ranking.features import READINGS
from engine.ranking.neighbours import Neighbours, work_of
from training.fitting import School, fit
from training.relevance_models import ModelSettings
from training.votes import Votes

N, DAY_US = 12, 86_400_000_000
TIMED = ("ease", "ease_7d", "ease_21d", "next_14d", "next_45d", "factors", "ials", "ials_21d", "term_next_14d")
UNTIMED = ("ease", "alike", "factors", "ials", "term_alike")


def _checkerboard(*, timed: bool) -> Votes:
    """Even learners take up even resources, odd ones odd resources; each misses one of theirs."""
    rows = [(u, r, NO_TIME) for u in range(60) for r in range(N) if u % 2 == r % 2 and r != u % N]
    if timed:
        rows = [(u, r, (20 + r % 5) * DAY_US) for u, r, _ in rows]
    learner, resource, at_us = (np.array(c) for c in zip(*rows, strict=True))
    n = len(rows)
    return Votes(
        IdMap(f"u{i}" for i in range(60)), IdMap(f"r{i:02}" for i in range(N)), IdMap([""]), IdMap([""]),
        np.zeros(1, np.int32), np.array([NO_TIME]), learner.astype(np.int32), resource.astype(np.int32),
        np.zeros(n, np.int32), at_us.astype(np.int64), np.arange(n), at_us.astype(np.int64),
    )  # fmt: skip


def _said(name: str, *, timed: bool, history: list[int], copies: int = 1) -> np.ndarray:
    settings = ModelSettings(
        ease_l2=1.0, recent_ease_l2=(1.0, 1.0), factor_dimensions=8, ials_dimensions=4, ials_penalty=1.0
    )
    fitted = fit(School(_checkerboard(timed=timed), {}, {}), settings, seed=0)
    rows = np.array(history * copies, np.int32)
    at_us = np.full(len(rows), 24 * DAY_US if timed else NO_TIME)
    now_us = 25 * DAY_US if timed else NO_TIME
    query = Query(learner_id="x", known=True, history=History(rows, at_us), now_us=now_us)
    if name == "factors":
        return Factors(fitted.arrays, IdMap([])).score(query.history.seen, ())
    if name == "ease":
        return Ease(fitted.arrays, N).score(query.history.seen)
    if name.startswith(("ials", "term_")):
        return beside_from(fitted.arrays, [name.removeprefix("term_")], IdMap([""]), N)[0].score(query)
    work, (half_life_days, unit) = work_of(query, N), READINGS[name]
    return Neighbours(fitted.arrays, name, N).sums(work.rows, work.weights(half_life_days, unit=unit))


CASES = [*((name, True) for name in TIMED), *((name, False) for name in UNTIMED)]


@pytest.mark.parametrize(("name", "timed"), CASES)
@pytest.mark.parametrize("history", [[0, 2, 4], [1, 3, 5]])
def test_the_colour_that_was_taken_up_is_what_is_foretold(name: str, timed: bool, history: list[int]) -> None:
    said = _said(name, timed=timed, history=history)
    colour = history[0] % 2
    same = [r for r in range(N) if r % 2 == colour and r not in history]
    other = [r for r in range(N) if r % 2 != colour]
    assert said.shape == (N,)
    assert min(said[same]) > max(said[other])


@pytest.mark.parametrize(("name", "timed"), CASES)
def test_nothing_taken_up_is_nothing_said(name: str, timed: bool) -> None:
    said = _said(name, timed=timed, history=[])
    assert np.isnan(said).all() or not said.any()


@pytest.mark.parametrize(("name", "timed"), CASES)
def test_taking_up_twice_is_taking_up_once(name: str, timed: bool) -> None:
    once, twice = (_said(name, timed=timed, history=[0, 2], copies=n) for n in (1, 2))
    np.testing.assert_allclose(once, twice)


@pytest.mark.parametrize("timed", [True, False])
def test_a_bundle_has_no_row_of_a_learner(timed: bool) -> None:
    fitted = fit(School(_checkerboard(timed=timed), {}, {}), ModelSettings(factor_dimensions=8), seed=0)
    assert not {name for name, array in fitted.arrays.items() if 60 in array.shape}
    assert not {x_id for ids in fitted.ids.values() for x_id in ids if x_id.startswith("u")}
