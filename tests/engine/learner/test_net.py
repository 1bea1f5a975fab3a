"""The compiled network says what the one in numpy says, of a row on its own as of the same row among others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learner.kernels import library
from engine.learner.net import Net

law = settings(max_examples=40, deadline=None, derandomize=True)
compiled = pytest.mark.skipif(library() is None, reason="nothing was compiled: there is only numpy")


def net_of(seed, d=7, h1=12, h2=5, n_items=3):
    rng = np.random.default_rng(seed)
    shapes = {
        "mean": d, "scale": d, "first": (d, h1), "first_bias": h1, "item_shift": (n_items + 1, h1), "second": (h1, h2),
        "second_bias": h2, "out": h2, "straight": d, "item_bias": n_items + 1, "bias": 1,
    }  # fmt: skip
    parts = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    parts["scale"] = np.abs(parts["scale"]) + np.float32(0.1)
    parts["item_shift"][-1] = parts["item_bias"][-1] = 0
    return Net(**parts)


@compiled
@law
@given(seed=st.integers(0, 10**6), n=st.integers(0, 40))
def test_both_forms_say_the_same(seed, n):
    net, rng = net_of(seed), np.random.default_rng(seed)
    x, items = rng.normal(0, 3, (n, 7)).astype(np.float32), rng.integers(-1, 3, n).astype(np.int32)
    said = net.logits(x, items)
    np.testing.assert_allclose(said, net.summed(x, items), rtol=1e-4, atol=1e-4)
    alone = [float(net.logits(x[k : k + 1], items[k : k + 1])[0]) for k in range(n)]
    assert alone == said.tolist()
