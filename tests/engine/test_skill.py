from hypothesis import given
from hypothesis import strategies as st

from engine.domain.skill import mended

graphs = st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefghXY"), max_size=4), max_size=8)


def is_acyclic(graph):
    waiting, done = dict(graph), set()
    while waiting:
        ready = [s for s, ps in waiting.items() if set(ps) <= done]
        if not ready:
            return False
        done.update(ready)
        for skill in ready:
            del waiting[skill]
    return True


def test_a_cycle_is_reported_with_its_path_and_broken_at_the_edge_that_closes_it():
    kept, report = mended({"ratios": ["fractions"], "fractions": ["division"], "division": ["ratios"]})
    assert report.cycles == (("division", "ratios", "fractions", "division"),)
    assert report.dropped == (("division", "fractions"),)
    assert kept == {"division": ("ratios",), "fractions": (), "ratios": ("fractions",)}


def test_an_edge_to_an_unknown_skill_is_reported_and_left_out():
    kept, report = mended({"ratios": ["fractions"]})
    assert report.dangling == (("fractions", "ratios"),)
    assert kept == {"ratios": ()}


def test_a_chain_deeper_than_the_recursion_limit_is_walked():
    chain = {str(i): [str(i + 1)] for i in range(5000)} | {"5000": []}
    kept, report = mended(chain)
    assert report.cycles == ()
    assert kept == {s: tuple(ps) for s, ps in chain.items()}


@given(graphs)
def test_what_is_kept_is_acyclic_and_everything_else_was_reported(graph):
    kept, report = mended(graph)
    assert is_acyclic(kept)
    edges = {(p, s) for s, ps in kept.items() for p in ps}
    assert edges | set(report.dropped) | set(report.dangling) == {(p, s) for s, ps in graph.items() for p in ps}
    assert all(path[0] == path[-1] for path in report.cycles)


@given(graphs, st.randoms())
def test_the_order_of_arrival_changes_nothing(graph, random):
    skills = list(graph)
    random.shuffle(skills)
    shuffled = {s: random.sample(graph[s], len(graph[s])) for s in skills}
    assert mended(shuffled) == mended(graph)
