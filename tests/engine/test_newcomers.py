"""What stands for a resource newer than the bundle is what is most like it, by skills, format, tags and place."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.catalogue import catalogue_of
from engine.domain.resource import Resource
from engine.ranking.newcomers import MOST_LIKE, newcomers_of
from engine.ranking.relevance import FirstStage


def resource(name, **features):
    return Resource(resource_id=name, title=name, **features)


KNOWN = [
    *(resource(f"film-{n}", format="video", skills=("a",), tags=("sea",), position=n) for n in range(8)),
    *(resource(f"text-{n}", format="reading", skills=("a",), position=10 + n) for n in range(8)),
    *(resource(f"quiz-{n}", format="quiz", skills=("b",)) for n in range(2)),
]
IDS = [r.resource_id for r in KNOWN]


def standing_for(new, known=KNOWN):
    catalogue = catalogue_of([*known, new], IDS)
    found = newcomers_of(catalogue, len(IDS))
    if found is None:
        return []
    assert found.rows.tolist() == [len(IDS)]
    assert found.most_like(len(IDS)) == found.like[0, 0]
    return [IDS[row] for row, share in zip(found.like[0], found.share[0], strict=True) if share]


def test_alike_is_who_shares_most_and_among_equals_who_stands_near():
    new = resource("new", format="video", skills=("a",), tags=("sea",), position=5)
    assert {"film-4", "film-5", "film-6"} < set(standing_for(new))
    assert standing_for(new)[0] == "film-5"


def test_what_few_have_counts_most():
    """A film on the skill of two quizzes is more like the quizzes than like the many films."""
    assert set(standing_for(resource("new", format="video", skills=("b",)))) == {"quiz-0", "quiz-1"}


def test_nothing_stands_for_what_is_like_nothing_and_nothing_withdrawn_stands_for_anything():
    assert standing_for(resource("new", format="debate", skills=("c",))) == []
    here = [r for r in KNOWN if not r.resource_id.startswith("quiz")]
    assert standing_for(resource("new", format="quiz", skills=("b",)), here) == []
    assert newcomers_of(catalogue_of(KNOWN, IDS), len(IDS)) is None


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), n_new=st.integers(1, 6))
def test_a_newcomer_has_the_mean_word_and_nobody_else_changes(seed, n_new):
    rng = np.random.default_rng(seed)
    formats, skills = ("video", "reading", "quiz", "debate"), ("a", "b", "c")
    new = [
        resource(f"new-{k}", format=str(rng.choice(formats)), skills=(str(rng.choice(skills)),), position=k)
        for k in range(n_new)
    ]
    catalogue = catalogue_of([*KNOWN, *new], IDS)
    found = newcomers_of(catalogue, len(IDS))
    parts = rng.normal(size=(3, len(catalogue)))
    first = FirstStage(
        scores=parts.sum(0), others=parts[0], course_time=parts[1], own_work=parts[2], cold=False, guided=False,
        by_day=None, factors=None,
    )  # fmt: skip
    if found is None:
        return
    assert found.like.shape == (len(found.rows), MOST_LIKE)
    np.testing.assert_allclose(found.share.sum(1), 1.0)
    said = found.stood_for(first)
    untouched = np.setdiff1d(np.arange(len(catalogue)), found.rows)
    np.testing.assert_array_equal(said.scores[untouched], first.scores[untouched])
    np.testing.assert_allclose(said.scores, said.others + said.course_time + said.own_work)
    for row, like, share in zip(found.rows, found.like, found.share, strict=True):
        np.testing.assert_allclose(said.scores[row], first.scores[like] @ share)
        assert first.scores[like].min() - 1e-9 <= said.scores[row] <= first.scores[like].max() + 1e-9
