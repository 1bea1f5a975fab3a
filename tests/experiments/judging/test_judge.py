"""The judge on a world whose numbers are known."""

import math
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
import toy_world

from engine.domain.errors import BadInput, Unknown
from experiments.judging.intake import frame_of, history_of_world, log_of_world, shelf_of, time_of
from experiments.judging.judge import Trial, judged
from experiments.judging.setup import POLICIES, Schooling, prepared
from experiments.judging.world import learner_of, world_of


class Fixed:
    """Takes one resource always and keeps what it was shown."""

    def __init__(self, resource_id="two-quiz"):
        self.resource_id, self.views = resource_id, []

    def choose(self, view):
        self.views.append((list(view.events), view.steps_left, view.now, view.gain))
        return self.resource_id


def quiet(_what, _share):
    pass


def trial(policy="fixed", *, learners=4, steps=2):
    return Trial(policy=policy, world="toy", n_learners=learners, n_steps=steps, seed=2)


def result_of(world, policy, **given):
    choices, _, _ = prepared("random", world, Schooling(seed=0), quiet)
    return judged(trial(**given), world, choices, lambda: policy, quiet)


def test_the_result_is_what_hand_reckoning_says():
    told = result_of(toy_world.world(), Fixed("one-quiz"), learners=2, steps=3)
    assert (told["seed"], told["policy"], told["world"]) == (2, "fixed", "toy")
    # One learner wants two, one wants three; nobody gains any of it from one.
    assert [x["gain"] for x in told["learners"]] == [0.0, 0.0]
    first = {"learner": "toy-3000000", "start": 0.0, "end": 0.0, "gain": 0.0, "steps": 3, "minutes": 3.0}
    assert told["learners"][0] == first


def test_the_oracle_walks_up_the_row_and_gains_what_it_can():
    world = toy_world.ToyWorld(start=0.6)
    choices, policy_for, _ = prepared("oracle", world, Schooling(seed=0), quiet)
    told = judged(trial("oracle", learners=3, steps=2), world, choices, policy_for, quiet)
    assert [x["end"] for x in told["learners"]] == pytest.approx([1 - 0.4 * (2 / 3) ** 2] * 3)
    assert told["gain"]["mean"] == pytest.approx(5 / 9)
    assert told["gain_per_minute"]["mean"] == pytest.approx(5 / 18)
    assert told["harmed"] == 0.0


def test_a_policy_sees_what_happened_and_only_the_oracle_sees_more():
    policy = Fixed()
    result_of(toy_world.world(), policy, learners=1, steps=3)
    events, left, now, gain = policy.views[-1]
    assert [e.resource_id for e in events] == ["two-quiz"] * 2
    assert [e.order for e in events] == sorted({e.order for e in events})
    assert [e.at for e in events] == [datetime(2030, 1, 1, h, tzinfo=UTC) for h in (0, 1)]
    assert (left, now, gain) == (1, datetime(2030, 1, 1, 2, tzinfo=UTC), None)


def test_a_world_without_a_clock_gives_events_an_order_alone():
    policy = Fixed()
    result_of(toy_world.without_a_clock(), policy, learners=1, steps=3)
    events, _, now, _ = policy.views[-1]
    assert now is None
    assert [e.at for e in events] == [None, None]


def test_who_knows_all_at_the_start_is_left_out_and_counted():
    told = result_of(toy_world.all_known(), Fixed())
    assert (told["learners"], told["left_out"], told["gain"]["mean"]) == ([], 4, None)


@pytest.mark.parametrize("policy", [p for p in POLICIES if p != "trailmate"])
@pytest.mark.parametrize("clock", [True, False])
def test_the_same_seed_gives_the_same_result(policy, clock):
    def once():
        world = toy_world.ToyWorld(clock=clock)
        schooling = Schooling(seed=0, n_learners=3)
        choices, policy_for, _ = prepared(policy, world, schooling, quiet)
        return judged(trial(policy, learners=3, steps=5), world, choices, policy_for, quiet)

    assert once() == once()


def test_policies_that_need_no_model_ask_for_no_log():
    class Unlogged(toy_world.ToyWorld):
        def log(self, n_learners, seed):
            raise AssertionError("nobody asked for a log")

    for policy in set(POLICIES) - {"trailmate", "popularity"}:
        prepared(policy, Unlogged(), Schooling(seed=0), quiet)


ROWS = [
    {"learner_id": "b", "resource_id": "x", "outcome": 1, "order": 2},
    {"learner_id": "b", "resource_id": "y", "outcome": None, "order": 1},
]


def test_tables_come_as_arrow_or_as_dicts_with_numbers_of_any_kind():
    arrow, dicts = frame_of(pa.Table.from_pylist(ROWS), "log"), frame_of(ROWS, "log")
    assert arrow.rows() == dicts.rows()
    mixed = frame_of([{"outcome": np.float32(0.5)}, {"outcome": 1, "order": np.int64(3)}], "log")
    assert mixed.rows() == [(0.5, None), (1.0, 3)]
    for nonsense in (5, [1, 2], "rows"):
        with pytest.raises(BadInput, match="no table"):
            frame_of(nonsense, "log")


def test_a_history_is_in_sequence_under_one_id_and_nothing_may_be_nothing():
    assert [e.resource_id for e in history_of_world(ROWS, "lena")] == ["y", "x"]
    assert {e.learner_id for e in history_of_world(pa.Table.from_pylist(ROWS), "lena")} == {"lena"}
    unordered = [{"resource_id": r} for r in "cab"]
    assert [e.resource_id for e in history_of_world(unordered, "lena")] == ["c", "a", "b"]
    assert (
        history_of_world([], "lena")
        == history_of_world(pa.table({"resource_id": pa.array([], pa.string())}), "l")
        == []
    )
    with pytest.raises(BadInput, match=r"outcome must lie in \[0, 1\]"):
        history_of_world([{"resource_id": "x", "outcome": 7}], "lena")


def test_equal_rows_without_an_id_are_two_events_and_the_future_is_no_hindrance(tmp_path):
    twice = [{"learner_id": "b", "resource_id": "x", "outcome": 1.0}] * 2
    assert len({e.event_id for e in history_of_world(twice, "lena")}) == 2
    late = [{**row, "at": "2931-05-01T08:00:00Z"} for row in twice]
    assert [e.at.year for e in history_of_world(late, "lena")] == [2931, 2931]
    told = log_of_world(late, {"resources": [{"resource_id": "x"}]}, tmp_path / "log", quiet)
    assert (told.added, told.n_rejected) == (2, 0)
    with pytest.raises(BadInput, match="1 rows of the world's log are rejected"):
        log_of_world([{**twice[0], "outcome": 3}], {"resources": [{"resource_id": "x"}]}, tmp_path / "other", quiet)


def test_times_are_read_as_utc():
    assert time_of(datetime(2026, 1, 1)) == time_of("2026-01-01T00:00:00") == datetime(2026, 1, 1, tzinfo=UTC)
    assert time_of(None) is None
    with pytest.raises(BadInput, match="no datetime"):
        time_of(5)


def test_skills_that_only_resources_name_and_circles_are_mended():
    catalog = {"resources": [{"resource_id": "r", "skills": ["a", "b"]}]}
    assert {s.skill_id for s in shelf_of(catalog).skills} == {"a", "b"}
    circle = [{"skill_id": "a", "prerequisites": ["b"]}, {"skill_id": "b", "prerequisites": ["a"]}]
    assert sum(len(s.prerequisites) for s in shelf_of({**catalog, "skills": circle}).skills) == 1
    with pytest.raises(BadInput, match="no table of resources"):
        shelf_of({"skills": circle})


@pytest.mark.parametrize(
    ("answer", "words"),
    [((2.0, 5.0), "outcome"), ((1.0, -5.0), "seconds"), ((1.0, float("inf")), "seconds"), (1.0, "failed in step")],
)
def test_a_step_that_makes_no_sense_is_named(answer, words):
    class Odd(toy_world.ToyLearner):
        def step(self, resource_id):
            return answer

    with pytest.raises(BadInput, match=words):
        result_of(toy_world.ToyWorld(learner=Odd), Fixed())


def test_a_goal_that_the_catalogue_does_not_know_is_named():
    class Lost(toy_world.ToyLearner):
        def __init__(self, seed, **given):
            super().__init__(seed, **given)
            self.goal = ["two", "four"]

    with pytest.raises(BadInput, match="the goal 'four', which its catalogue does not know"):
        result_of(toy_world.ToyWorld(learner=Lost), Fixed())


@pytest.mark.parametrize("untold", [None, float("nan"), np.float32("nan")])
def test_what_a_step_does_not_tell_is_not_made_up(untold):
    """Time counts as the catalogue says it; neither an outcome nor a duration is noted."""

    class Silent(toy_world.ToyLearner):
        def step(self, resource_id):
            super().step(resource_id)
            return untold, untold

    policy = Fixed()
    told = result_of(toy_world.ToyWorld(learner=Silent), policy, learners=2, steps=3)
    assert [x["minutes"] for x in told["learners"]] == [3.0, 3.0]
    events = policy.views[2][0]
    assert [(e.outcome, e.duration_s, e.kind) for e in events] == [(None, None, "viewed")] * 2


def test_numbers_of_any_kind_a_goal_of_one_word_and_no_history_are_understood():
    class Loose(toy_world.ToyLearner):
        def __init__(self, seed, *, clock, start=0.0):
            super().__init__(seed, clock=clock, start=start)
            self.goal, self.history = "two", None

        def step(self, resource_id):
            outcome, _ = super().step(resource_id)
            return np.array(outcome, np.float32), np.int16(60)

        def exam(self):
            return np.float32(self._level["two"])

    told = result_of(toy_world.ToyWorld(learner=Loose), Fixed("one-quiz"), learners=2, steps=3)
    assert [(x["gain"], x["minutes"]) for x in told["learners"]] == [(0.0, 3.0)] * 2


def test_a_world_that_leaves_is_blamed_and_one_that_offers_nothing_is_told_so():
    class Leaving(toy_world.ToyLearner):
        def exam(self):
            raise SystemExit(3)

    with pytest.raises(BadInput, match="failed in exam: SystemExit"):
        result_of(toy_world.ToyWorld(learner=Leaving), Fixed())
    with pytest.raises(BadInput, match="no usable resource"):
        shelf_of({"resources": []})


def test_an_exam_out_of_range_is_named():
    class Odd(toy_world.ToyLearner):
        def exam(self):
            return 1.5

    with pytest.raises(BadInput, match="exams lie in"):
        result_of(toy_world.ToyWorld(learner=Odd), Fixed())


def test_a_gain_that_cannot_be_told_is_named():
    class Odd(toy_world.ToyLearner):
        def gain(self, resource_id):
            raise KeyError(resource_id)

    world = toy_world.ToyWorld(learner=Odd)
    choices, policy_for, _ = prepared("oracle", world, Schooling(seed=0), quiet)
    with pytest.raises(BadInput, match="failed in gain: KeyError"):
        judged(trial("oracle"), world, choices, policy_for, quiet)


@pytest.mark.parametrize("worth", [math.nan, math.inf, -math.inf])
def test_a_gain_that_is_no_number_is_named(worth):
    class Odd(toy_world.ToyLearner):
        def gain(self, resource_id):
            return worth

    world = toy_world.ToyWorld(learner=Odd)
    choices, policy_for, _ = prepared("oracle", world, Schooling(seed=0), quiet)
    with pytest.raises(BadInput, match=f"gain is {worth} .* give a number for each; mend the world"):
        judged(trial("oracle"), world, choices, policy_for, quiet)


@pytest.mark.parametrize(("table", "lacking"), [("resources", "resource_id"), ("skills", "skill_id")])
def test_a_catalogue_without_ids_is_told_where_to_put_them(table, lacking):
    class Odd(toy_world.ToyWorld):
        def catalog(self):
            tables = super().catalog()
            return {**tables, table: [{k: v for k, v in row.items() if k != lacking} for row in tables[table]]}

    with pytest.raises(BadInput) as told:
        prepared("random", Odd(), Schooling(seed=0), quiet)
    said = str(told.value)
    assert said.startswith("what the world's catalog() gives cannot be used: ")
    assert f"must have the column {lacking}, and {lacking} is missing" in said
    assert "import" not in said


def test_a_world_that_is_none_is_told_what_it_lacks():
    with pytest.raises(BadInput, match="MODULE:FACTORY"):
        world_of("experiments.worlds.half_life")
    with pytest.raises(Unknown, match="no factory"):
        world_of("experiments.worlds.half_life:nothing")
    with pytest.raises(Unknown, match="PYTHONPATH"):
        world_of("experiments.worlds.nowhere:world")

    class NoExam:
        history, goal, step = (), ("one",), print

    class Bare:
        def learner(self, seed):
            return NoExam()

    with pytest.raises(BadInput, match=r"no method \.exam\(\)"):
        learner_of(Bare(), 0)
