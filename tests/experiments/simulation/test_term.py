"""A simulated term: no hard rule broken, everybody with somebody, and fairer than random pairing."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments.simulation.term import (
    APART,
    N_WEEKS,
    OPTED_OUT,
    POLICIES,
    N,
    Term,
    compared,
    interval,
    main,
    table,
    term,
)
from experiments.simulation.term_laws import LAWS
from experiments.simulation.term_picture import _draw_classes, together


@pytest.fixture(scope="module")
def terms() -> dict[str, Term]:
    return {policy: term(0, policy) for policy in POLICIES}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_term_keeps_apart_who_is_to_be_and_leaves_in_peace_who_wants_to_be(
    terms: dict[str, Term], policy: str
) -> None:
    told = terms[policy]
    assert told.broken == 0
    times = together(told)
    assert times[APART[0], APART[1]] == 0
    assert times[OPTED_OUT].sum() == 0
    assert len(told.rounds) == N_WEEKS
    everybody = [i for i in range(N) if i != OPTED_OUT]
    assert all(sorted(i for g in groups for i in g) == everybody for groups in told.rounds)
    assert len(told.asked) == N_WEEKS * len(everybody)


def test_pairs_that_met_are_counted_from_the_rounds_themselves(terms: dict[str, Term]) -> None:
    told = terms["trailmate"]
    pairs = [{p for g in groups for p in combinations(sorted(g), 2)} for groups in told.rounds]
    again = sum(len(now & set().union(*pairs[max(w - 3, 0) : w])) for w, now in enumerate(pairs) if w)
    assert told.figures()["repeats_in_groups"] == pytest.approx(again / sum(len(p) for p in pairs[1:]))


def test_the_same_seed_is_the_same_term() -> None:
    assert term(3, "trailmate").figures() == term(3, "trailmate").figures()


def test_loads_and_repeats_are_evener_than_at_random_and_more_is_learned_side_by_side() -> None:
    told = compared(4, law="equal_status")
    own, other = ({n: np.array([f[n] for f in told[p]]) for n in told[p][0]} for p in POLICIES)
    for name in ("helper_load_gini", "repeats_in_groups", "repeats_of_peers"):
        assert (own[name] < other[name]).all()
    assert (own["coverage"] == 1.0).all()
    assert interval(own["gain"] - other["gain"])[1] > 0
    assert "| gain |" in table(told)


@pytest.mark.parametrize("law", LAWS)
def test_laws_give_a_share_and_differ_in_who_is_good_company(law: str) -> None:
    others = {"nobody ahead": [0.3], "a little ahead": [0.6], "far ahead": [0.95]}
    told = {name: LAWS[law](0.3, np.array(known)) for name, known in others.items()}
    assert all(0.0 < share <= 0.125 for share in told.values())
    best = max(told, key=lambda name: told[name])
    expected = {"zone": "a little ahead", "equal_status": "nobody ahead", "hardly_matters": "a little ahead"}
    assert best == expected.get(law, "far ahead")


def test_another_law_is_another_term_of_the_same_class() -> None:
    one, other = (term(0, "random", law) for law in ("explainer", "equal_status"))
    assert one.start == other.start
    assert one.end != other.end


def test_the_command_prints_a_table_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--classes", "1", "--picture", str(tmp_path / "term.png")]) == 0
    assert "random pairing" in capsys.readouterr().out
    assert (tmp_path / "term.png").read_bytes()[:4] == b"\x89PNG"


def test_classes_are_dots_at_whole_numbers_and_nothing_lies_over_them() -> None:
    figure = Figure(layout="constrained")
    panel = figure.subplots()
    _draw_classes(panel, "gain", {"trailmate": [0.2, 0.3], "random": [0.1, 0.4]})
    figure.canvas.draw()
    assert {line.get_linestyle() for line in panel.get_lines()} == {"None"}
    assert [list(line.get_xdata()) for line in panel.get_lines()] == [[1, 2], [1, 2]]
    assert {tick.get_text() for tick in panel.get_xticklabels()} <= {"0", "1", "2", "3"}
    box, axes = panel.get_legend().get_window_extent(), panel.get_window_extent()
    assert box.x0 >= axes.x1
