"""Whoever has the same events has the same state, bit for bit, however they arrived."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.domain.errors import BadInput
from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.domain.resource import Resource
from engine.learner.fold import N_SHOWN, caught_up, folded, fresh, offer_of, place_of
from engine.learner.kernels import BLOCK, SELF
from engine.learner.kernels import fold as fold_rows
from engine.learner.mastery import outlook_on, skill_masteries
from engine.learner.rows import item_key
from engine.learner.state import NOTHING_YET, state_from
from training.attempts import attempts_of, frame_of
from training.learner_models import fit_learner_model
from training.log import add_to_log, frame_of_interactions, read_log

law = settings(max_examples=40, deadline=None, derandomize=True)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)
SKILLS = ("adding", "doubling", "halving")
RESOURCES = [
    Resource(resource_id="r0", title="Sums", format="exercise", skills=("adding",)),
    Resource(resource_id="r1", title="More sums", format="video", skills=("doubling", "adding")),
    Resource(resource_id="r2", title="Halves", format="reading", skills=("halving",)),
    Resource(resource_id="r3", title="A break", format="exercise"),
]
OFFER = offer_of(RESOURCES)
MIX = {"exercise": 0.5, "video": 0.3, "reading": 0.2}
ASKED = [("r0", ("adding",)), ("r1", ("adding", "doubling")), ("q1", ("halving",)), ("new", ()), ("new", ("new",))]


def practice(n_learners=30, n_each=16):
    """Answers of a small invented school."""
    rng = np.random.default_rng(4)
    able = rng.normal(size=n_learners)
    told = []
    for n in range(n_learners * n_each):
        learner, r = n // n_each, int(rng.integers(len(RESOURCES)))
        right = rng.random() < 1 / (1 + np.exp(r - 1.5 - able[learner]))
        told.append((f"l{learner:02d}", f"r{r}", list(RESOURCES[r].skills), float(right), float(rng.uniform(3, 60))))
    columns = ["learner_id", "item", "skills", "outcome", "duration_s"]
    at = [MORNING + timedelta(minutes=3 * n) for n in range(len(told))]
    return pl.DataFrame(told, schema=columns, orient="row").with_columns(
        at=pl.Series(at, dtype=pl.Datetime("us", "UTC"))
    )


@pytest.fixture(scope="session")
def model():
    fitted = fit_learner_model(practice(), minutes={}, format_mix=MIX, seed=0, report=lambda what, share: None)
    assert fitted.chance.line.weight.any()
    return fitted


def event(event_id, kind="attempted", resource_id="r0", minutes=0.0, **more):
    at = None if minutes is None else MORNING + timedelta(minutes=minutes)
    outcome = {"outcome": 1.0} if kind == "attempted" else {}
    told = {"resource_id": resource_id, "at": at, **outcome, **more}
    return Interaction(event_id=event_id, learner_id="lena", kind=kind, source="t", **told)


MINUTES = st.none() | st.sampled_from([0.0, 0.0, 0.5, 30.0, 90.0, 2000.0, 50_000.0])
KINDS = st.sampled_from(
    ["attempted"] * 6 + ["viewed", "completed", "shown", "shown", "know_it", "contested", "goal_set", "preferences_set",
     "opened", "rated", "declined", "mastery_set"]
)  # fmt: skip
VALUES = st.sampled_from(
    [None, "{}", '{"forget_observed":true}', '{"formats":["video"]}', '{"skills":["adding"]}', "x"]
)


@st.composite
def single_event(draw, event_id):
    kind = draw(KINDS)
    return event(
        event_id,
        kind,
        draw(st.sampled_from(["r0", "r1", "r2", "r3", "elsewhere"])),
        draw(MINUTES),
        order=draw(st.none() | st.integers(-1, 1)),
        outcome=draw(st.none() | st.sampled_from([0.0, 1.0, 0.4, 0.7])) if kind in ("attempted", "completed") else None,
        duration_s=draw(st.sampled_from([None, 0.0, -1.0, 4.5, 1e9, float("inf")])),
        item_id=draw(st.sampled_from([None, None, "q1", "q2"])),
        skills=draw(st.sampled_from([None, None, None, (), ("halving", "adding"), ("adding", "adding"), ("new",)])),
        decision_id=draw(st.sampled_from([None, "d1", "d2"])),
        value=draw(VALUES),
    )


@st.composite
def histories(draw, min_size=1, max_size=10):
    """Events of one learner; some void others, those of earlier and of later moments, and one that never was."""
    n = draw(st.integers(min_size, max_size))
    told = [draw(single_event(f"e{k}")) for k in range(n)]
    voided = draw(st.lists(st.integers(0, n), max_size=2))
    return told + [event(f"v{k}", "voided", None, draw(MINUTES), voids=f"e{v}") for k, v in enumerate(voided)]


@st.composite
def arrivals(draw):
    """Events, and the batches they arrive in: in any order, some of them again and again."""
    told = draw(histories())
    again = draw(st.lists(st.sampled_from(told), max_size=5))
    queue = draw(st.permutations(told + again))
    cuts = sorted(draw(st.sets(st.integers(1, len(queue)), max_size=6)))
    return told, [queue[a:b] for a, b in zip([0, *cuts], [*cuts, len(queue)], strict=True)]


def caught_up_with(batches, model, *, stored=False):
    """The state after each batch, with all that arrived until then."""
    state, known = None, []
    for batch in batches:
        known += batch
        state = caught_up(state, batch, known.copy, model=model, offer=OFFER)
        state = state_from(state.to_bytes()) if stored else state
        yield state, known.copy()


@law
@given(arrivals(), st.booleans())
def test_the_order_of_arrival_repetition_and_batches_leave_no_trace(model, arrived, stored):
    told, batches = arrived
    for state, known in caught_up_with(batches, model, stored=stored):
        assert state.to_bytes() == folded(known, model, OFFER).to_bytes()
    assert state.to_bytes() == folded(told, model, OFFER).to_bytes()


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (0, 2, 1), (2, 1, 0), (0, 2, 1, 1), (1, 2, 0), (2, 0, 1)])
def test_a_voiding_reaches_an_event_that_arrives_after_it(model, order):
    told = [event("a"), event("b", minutes=5), event("v", "voided", None, None, voids="b")]
    *_, (state, _) = caught_up_with([[told[k]] for k in order], model)
    assert state.n_events == 1
    assert state.to_bytes() == folded(told, model, OFFER).to_bytes()


@law
@given(histories(min_size=2))
def test_a_voided_event_leaves_no_trace(model, told):
    voided = {e.voids for e in told}
    left = [e for e in told if e.event_id not in voided and e.kind != "voided"]
    state = folded(told, model, OFFER)
    assert replace(state, voided=()).to_bytes() == folded(left, model, OFFER).to_bytes()
    assert set(state.voided) == voided - {None}


@law
@given(histories())
def test_a_state_returns_from_its_bytes(model, told):
    state = folded(told, model, OFFER)
    again = state_from(state.to_bytes())
    assert again.to_bytes() == state.to_bytes()
    assert again.whole.tobytes() == state.whole.tobytes()
    assert again.blocks.tobytes() == state.blocks.tobytes()
    for name in ("basis", "last", "n_events", "memories", "style", "shown", "checks", "goal", "preferences", "voided"):
        assert getattr(again, name) == getattr(state, name)
    # And is asked and goes on as it would have.
    now_us = microseconds(NOW)
    for one, other in zip(_outlook(state, model, now_us), _outlook(again, model, now_us), strict=True):
        assert np.array_equal(one, other)


def _outlook(state, model, now_us):
    said = outlook_on(state, ASKED, model, now_us)
    return said.p, said.log_seconds_mean, said.log_seconds_sd


@pytest.fixture(scope="session")
def content(model):
    told = [event("a"), event("b", "shown", "r1", 1), event("c", "viewed", "r1", 2), event("d", "know_it", "r2", 3)]
    return folded(told, model, OFFER).to_bytes()


@law
@given(data=st.data())
@example(data=None)
def test_cut_bytes_are_refused(content, data):
    lengths = range(len(content)) if data is None else [data.draw(st.integers(0, len(content) - 1))]
    for length in lengths:
        with pytest.raises(BadInput):
            state_from(content[:length])
    with pytest.raises(BadInput):
        state_from(content + b"\0")


@law
@given(data=st.data())
def test_altered_bytes_are_refused(content, data):
    place, flipped = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(1, 255))
    with pytest.raises(BadInput):
        state_from(content[:place] + bytes([content[place] ^ flipped]) + content[place + 1 :])


@law
@given(st.binary(max_size=700))
def test_bytes_that_are_no_state_are_refused(noise):
    with pytest.raises(BadInput):
        state_from(noise)


def test_a_state_is_as_large_as_its_documentation_says(model):
    assert (SELF.itemsize, BLOCK.itemsize) == (1016, 256)
    sizes = {}
    for told in ([], [event("a", resource_id="r2")], [event("a", resource_id="r2"), event("b", "viewed", "r3", 1)]):
        state = folded(told, model, OFFER)
        sizes[len(told)] = len(state.to_bytes()) - len(_tail(state.to_bytes()))
        assert 50 <= len(_tail(state.to_bytes())) <= 300
    assert sizes[0] == 54 + 1016 + 4
    # An item and a skill were met, and the skill was answered; then one more item.
    assert sizes[1] - sizes[0] == 2 * 256 + 32
    assert sizes[2] - sizes[1] == 256


def _tail(content):
    start = content.index(b'{"event_id"')
    return content[start:-4]


def test_a_state_holds_no_id_of_the_learner_nor_of_what_they_met(model):
    content = folded([event("a"), event("b", "shown", "r1", 1, decision_id="d")], model, OFFER).to_bytes()
    assert all(word not in content for word in (b"lena", b"r0", b"r1", b"adding", b"doubling"))


@law
@given(histories(), st.sampled_from(["know_it", "contested"]), st.sampled_from(["r0", "r1", "r2"]))
def test_what_learners_say_of_themselves_moves_no_mastery_but_promises_a_check(model, told, kind, resource_id):
    before = folded(told, model, OFFER)
    late = event("z", kind, resource_id, 60_000)
    after = folded([*told, late], model, OFFER)
    now_us = microseconds(NOW)
    for one, other in zip(_outlook(before, model, now_us), _outlook(after, model, now_us), strict=True):
        assert np.array_equal(one, other)
    assert _masteries(before, model, now_us) == _masteries(after, model, now_us)
    assert after.memories == before.memories
    promised = {c.skill_id: (c.because, c.since_us) for c in after.checks}
    skills = OFFER.skills[resource_id]
    assert {s: promised[s] for s in skills} == dict.fromkeys(skills, (kind, microseconds(late.at)))
    assert [c for c in after.checks if c.skill_id not in skills] == [
        c for c in before.checks if c.skill_id not in skills
    ]


def _masteries(state, model, now_us):
    return [(m.p, m.low, m.high, m.recall, m.evidence.n) for m in skill_masteries(state, SKILLS, model, now_us)]


@pytest.mark.parametrize(
    ("kind", "more", "left"),
    [
        ("attempted", {"outcome": 0.0}, ("doubling",)),
        ("attempted", {"outcome": 1.0}, ("doubling",)),
        ("completed", {"outcome": None}, ("adding", "doubling")),
        ("viewed", {}, ("adding", "doubling")),
        ("attempted", {"outcome": 1.0, "skills": ("doubling", "halving")}, ("adding",)),
        ("attempted", {"outcome": 1.0, "resource_id": "r1"}, ()),
    ],
)
def test_an_answer_on_a_skill_keeps_its_check(model, kind, more, left):
    told = [event("a", "contested", "r1", 0), event("b", kind, minutes=1, **more)]
    assert tuple(c.skill_id for c in folded(told, model, OFFER).checks) == left


def test_a_learner_who_says_so_once_more_is_checked_once(model):
    told = [event("a", "know_it", "r0", 0), event("b", "contested", "r0", 1)]
    assert [(c.skill_id, c.because) for c in folded(told, model, OFFER).checks] == [("adding", "contested")]


def test_an_answer_moves_mastery_and_a_rating_does_not(model):
    now_us = microseconds(NOW)
    nobody = folded([], model, OFFER)
    right, wrong = (folded([event("a", outcome=y)], model, OFFER) for y in (1.0, 0.0))
    rated = folded([event("a", "rated", outcome=1.0)], model, OFFER)
    assert _masteries(right, model, now_us)[0][0] > _masteries(wrong, model, now_us)[0][0]
    assert _masteries(rated, model, now_us) == _masteries(nobody, model, now_us)
    assert rated.memories == {}


def test_a_voiding_of_the_last_event_moves_the_place_back(model):
    told = [event("a"), event("b", minutes=9)]
    state = folded([*told, event("v", "voided", None, 10, voids="b")], model, OFFER)
    assert state.last == place_of(told[0])
    assert folded([event("v", "voided", None, 10, voids="b")], model, OFFER).last == NOTHING_YET


def test_only_what_comes_after_the_last_event_is_folded_without_the_rest(model):
    def everything():
        raise AssertionError("nothing asked for the events before")

    def refolded():
        asked.append(True)
        return told

    told = [event(f"e{k}", minutes=k) for k in range(4)]
    state, asked = folded(told[:2], model, OFFER), []
    later = caught_up(state, told[2:], everything, model=model, offer=OFFER)
    assert later.to_bytes() == folded(told, model, OFFER).to_bytes()
    assert caught_up(state, [], everything, model=model, offer=OFFER) is state
    other_offer = offer_of(RESOURCES[:2])
    for known, model_now, offer_now in (
        (None, model, OFFER),
        (state, replace(model, version="another"), OFFER),
        (state, model, other_offer),
    ):
        again = caught_up(known, told[2:], refolded, model=model_now, offer=offer_now)
        assert again.to_bytes() == folded(told, model_now, offer_now).to_bytes()
    assert len(asked) == 3


def test_the_last_said_counts_and_preferences_can_ask_to_forget_the_formats(model):
    goals = [f'{{"skills": ["{name}"]}}' for name in ("first", "second", "last")]
    told = [
        event("a", "viewed", "r1", 0), event("b", "goal_set", None, 1, value=goals[0]),
        event("c", "goal_set", None, 3, value=goals[2]), event("d", "goal_set", None, 2, value=goals[1]),
        event("e", "preferences_set", None, 4, value='{"formats": ["video"]}'),
    ]  # fmt: skip
    state = folded(told, model, OFFER)
    assert (state.goal, state.preferences) == ('{"skills": ["last"]}', '{"formats": ["video"]}')
    garbage = [event(k, k2, None, 6, value="{") for k, k2 in (("x", "goal_set"), ("y", "preferences_set"))]
    kept = folded([*told, *garbage], model, OFFER)
    assert (kept.goal, kept.preferences) == (state.goal, state.preferences)
    assert state.style.formats
    forget = event("f", "preferences_set", None, 5, value='{"forget_observed": true}')
    forgotten = folded([*told, forget], model, OFFER)
    assert forgotten.style == fresh(model, OFFER).style
    assert forgotten.blocks.tobytes() == state.blocks.tobytes()


def test_what_was_taken_is_held_against_what_was_shown_with_it(model):
    slate = [event(f"s{k}", "shown", f"r{k}", 0, decision_id="d") for k in range(2)]
    taken = event("t", "viewed", "r1", 1, decision_id="d")
    state = folded([*slate, taken], model, OFFER)
    assert state.shown[0].keys == (item_key("r0"), item_key("r1"))
    assert state.shown[0].formats == ("exercise", "video")
    # Exercises stood beside; readings did not, and so were not passed over.
    assert dict(zip(state.style.formats, state.style.expected, strict=True)).keys() == {"exercise", "video"}
    without = folded([taken], model, OFFER)
    assert dict(zip(without.style.formats, without.style.expected, strict=True)).keys() == set(MIX)


def test_slates_are_told_apart_by_decision_or_moment_and_only_the_last_are_kept(model):
    def shown(n, **more):
        told = [event(f"s{k:03d}", "shown", f"r{k % 3}", **{"minutes": None, "order": k, **more}) for k in range(n)]
        return folded(told, model, OFFER).shown

    assert [s.formats for s in shown(3, minutes=0)] == [("exercise", "video", "reading")]
    assert [s.formats for s in shown(3, decision_id="d")] == [("exercise", "video", "reading")]
    # Without either nobody knows, and a learner without a clock gathers no endless slate.
    assert shown(500) == ()
    many = [event(f"s{k:03d}", "shown", f"r{k % 3}", k) for k in range(100)]
    state = folded(many, model, OFFER)
    assert [len(s.keys) for s in state.shown] == [1] * N_SHOWN
    assert state.shown[-1].decision_id == f"at {microseconds(many[-1].at)}"


@settings(law, max_examples=8)
@given(told=histories(min_size=8, max_size=16))
def test_training_reads_from_the_log_what_was_folded_event_by_event(model, told, tmp_path_factory):
    known = [e for e in told if e.kind != "voided"]
    log = tmp_path_factory.mktemp("log") / "log"
    frame = frame_of_interactions(known)
    resources = pl.DataFrame(
        [(r.resource_id, r.title, r.format, list(r.skills)) for r in RESOURCES],
        schema={"resource_id": pl.String, "title": pl.String, "format": pl.String, "skills": pl.List(pl.String)},
        orient="row",
    )
    add_to_log(log, interactions=[frame], resources=resources, source="t", now=NOW, report=lambda what, share: None)
    attempts = attempts_of(frame_of(read_log(log)), model.vocabulary)
    state = folded(known, model, OFFER)
    nobody = fresh(model, OFFER)
    whole, blocks, _ = fold_rows(model.prepared, attempts.rows, nobody.whole, nobody.blocks)
    assert (whole.tobytes(), blocks.tobytes()) == (state.whole.tobytes(), state.blocks.tobytes())
