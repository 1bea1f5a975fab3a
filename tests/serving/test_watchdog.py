"""A bundle under which answers get worse is noticed, and one under which they do not is left alone."""

from hypothesis import given, settings
from hypothesis import strategies as st

from serving.watchdog import Watchdog


def after(before: list[tuple[float, bool]], since: list[tuple[float, bool]]) -> str | None:
    dog = Watchdog()
    for seconds, failed in before:
        dog.saw(seconds, failed=failed)
    dog.change()
    for seconds, failed in since:
        dog.saw(seconds, failed=failed)
    return dog.verdict()


def test_failures_that_were_not_there_before_are_noticed() -> None:
    assert after([(0.01, False)] * 100, [(0.01, False)] * 20 + [(0.01, True)] * 3) is not None


def test_answers_that_take_much_longer_are_noticed() -> None:
    assert after([(0.01, False)] * 100, [(0.2, False)] * 40) is not None
    # A tenfold of next to nothing is still nothing.
    assert after([(0.001, False)] * 100, [(0.01, False)] * 40) is None


def test_few_answers_say_nothing_of_time() -> None:
    assert after([(0.01, False)] * 100, [(0.5, False)] * 10) is None


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(0, 0.1), st.booleans()), min_size=200, max_size=200))
def test_who_was_as_bad_before_is_no_worse(seen: list[tuple[float, bool]]) -> None:
    assert after(seen, seen) is None


def test_after_its_time_a_bundle_is_what_the_next_one_is_compared_with() -> None:
    dog = Watchdog()
    dog.change()
    for _ in range(100):
        dog.saw(0.2, failed=False)
    dog.trust()
    assert dog.verdict() is None
    dog.change()
    for _ in range(50):
        dog.saw(0.25, failed=False)
    assert dog.verdict() is None
