"""When trees stay out: a loss must be beyond chance, and the learners of one class share its chance."""

import numpy as np

from training.weighing import no_worse


def _judged(means: dict[str, float], running: set[str], n: int = 200) -> bool:
    draw = np.random.default_rng(0).normal(0.0, 0.2, n)
    draw -= draw.mean()
    classes = np.repeat(np.array(list(means)), n)
    gains = np.concatenate([mean + draw for mean in means.values()])
    return no_worse(gains, classes, np.isin(classes, list(running)))


def test_a_loss_beyond_the_chance_of_queries_keeps_trees_out_where_one_class_is_all_there_is():
    assert not _judged({"a": -0.04}, {"a"})
    assert _judged({"a": -0.02}, {"a"})


def test_one_class_in_one_bad_week_does_not_where_classes_differ_as_much():
    assert _judged({"a": -0.04, "b": 0.01, "c": 0.09}, {"a"})


def test_classes_that_all_lose_alike_do():
    assert not _judged({"a": -0.04, "b": -0.05, "c": -0.03}, {"a", "b"})


def test_finished_classes_alone_do_not_speak_for_those_that_run():
    assert not _judged({"a": -0.4, "b": -0.41, "c": 0.05, "d": 0.06}, {"a", "b"})
