"""Who answers whom is learned from what happened, and a bundle keeps weights alone."""

import numpy as np
import pytest

from engine.collaborators.affinity import USUAL
from engine.collaborators.contacts import DAY_US, HELPED, Contacts, contacts_from
from experiments.bench.acceptance import auc, aucs
from experiments.bench.who_answers import compared, followed, interval, who_answers
from training.peers import FEWEST, fit_affinity


def forum(n: int = 60, *, seed: int = 0) -> Contacts:
    """Everybody has three whom they answer most of the time, and some are answered by all: 60 days of it."""
    rng = np.random.default_rng(seed)
    friends = np.array([rng.choice(np.delete(np.arange(n), i), 3, replace=False) for i in range(n)])
    lines = []
    for minute in np.sort(rng.integers(0, 60 * 1440, 3_000)):
        who = int(rng.integers(n))
        whom = int(rng.choice(friends[who])) if rng.random() < 0.6 else int(rng.integers(5))
        if who != whom:
            lines.append((who, whom, int(minute) * 60_000_000, HELPED, float("nan")))
    return contacts_from(n, lines)


def test_who_is_answered_later_is_told_better_than_by_popularity_or_reciprocity() -> None:
    told = compared(forum(), 0.7, asks=False)
    for peer in ("popularity", "reciprocity"):
        assert interval(told["trailmate"] - told[peer])[1] > 0.05


def test_the_same_contacts_give_the_same_weights() -> None:
    one, two = (fit_affinity(forum(20), seed=0) for _ in range(2))
    np.testing.assert_array_equal(one.asks, two.asks)
    np.testing.assert_array_equal(one.answers, two.answers)


def test_too_few_contacts_say_what_is_usual() -> None:
    few = contacts_from(3, [(0, 1, t * DAY_US, HELPED, float("nan")) for t in range(FEWEST - 1)])
    assert fit_affinity(few, seed=0) is USUAL


@pytest.mark.realdata
def test_in_a_real_forum_whom_somebody_answers_is_told_better_than_by_either_baseline() -> None:
    from tests.training.importers.test_published import real

    data = real("mooc_forum").parent
    assert who_answers.__doc__
    from experiments.bench.who_answers import replies

    contacts = replies(data)
    later = [compared(contacts, cut, asks=False) for cut in (0.5, 0.6, 0.7)]
    nexts = [followed(contacts, 0.5, asks=asks) for asks in (True, False)]
    for told in later + nexts[1:]:
        assert interval(told["trailmate"] - told["popularity"])[1] > 0
        assert interval(told["trailmate"] - told["reciprocity"])[1] > 0
    assert interval(nexts[0]["trailmate"] - nexts[0]["popularity"])[1] > 0


@pytest.mark.realdata
def test_in_a_real_primary_school_nobody_is_offered_outside_their_class() -> None:
    import polars as pl

    from engine.collaborators.crowd import Person, abilities_of, crowd_of
    from engine.collaborators.peers import Wish, peers_for
    from engine.collaborators.safeguards import allowed
    from engine.rules.people import People
    from tests.training.importers.test_published import real

    told = pl.read_parquet(real("peers") / "primary_school_contacts.parquet")
    sides = [told.select(x=pl.col(s), c=pl.col(f"class_{s}").cast(pl.String)) for s in ("a", "b")]
    of = dict(pl.concat(sides).unique().sort("x").iter_rows())
    rows = {x: row for row, x in enumerate(of)}
    lines = told.select("a", "b", pl.col("t_s") // 3600).unique().sort("t_s", "a", "b").iter_rows()
    now_us = int(told["t_s"].max()) * 1_000_000 + DAY_US  # type: ignore[arg-type]
    contacts = contacts_from(
        len(of), [(rows[a], rows[b], hour * 3_600_000_000, HELPED, float("nan")) for a, b, hour in lines]
    )
    people = [Person(learner_id=f"{row:04d}", class_ids=(c,)) for row, c in enumerate(of.values())]
    nothing = (np.empty((len(of), 0)), np.empty((len(of), 0), np.int64), np.empty((len(of), 0), bool))
    crowd = crowd_of(people, abilities_of((), *nothing), {})
    nobody = People(apart=(), together=(), locks=(), company=(), size=None, helping={}, approval={}, conflict=())
    classes = list(of.values())
    for row in range(len(of)):
        may = allowed(crowd, row, nobody, contacts, now_us=now_us)
        peers = peers_for(crowd, row, Wish(k=5), allowed=may, contacts=contacts, affinity=USUAL, now_us=now_us)
        assert len(peers) == 5
        assert {classes[p.row] for p in peers} == {classes[row]}


def test_whether_a_peer_is_accepted_is_told_better_with_what_happened_before() -> None:
    told = np.array([aucs(seed) for seed in range(8)])
    assert (told[:, 3] == 0.5).all()
    for without in (1, 2, 3):
        assert interval(told[:, 0] - told[:, without])[1] > 0


def test_a_yes_above_every_no_is_an_auc_of_one() -> None:
    assert auc(np.array([0.9, 0.2, 0.8]), np.array([True, False, True])) == 1.0
    assert auc(np.array([0.5, 0.5]), np.array([True, False])) == 0.5
