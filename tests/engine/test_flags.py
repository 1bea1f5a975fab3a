"""A flag speaks of a loop that still stands, says when, and is true of the slate it is sent with."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine import flags
from engine.domain.history import history_of
from engine.learner.fold import folded
from engine.ranking.loops import OTHER_WORK, STANDS_DAYS, tried_on
from tests.lessons import NOW, ask, event, resources_of


@pytest.fixture(scope="module")
def stuck(lesson):
    """A skill, and three wrong answers on it."""
    skill = sorted(lesson.skill_rows)[3]
    return skill, [event(9 - n, resource_id=r, outcome=0.0) for n, r in enumerate(resources_of(lesson, skill)[:3])]


def test_it_ends_with_time_with_other_work_and_with_a_right_answer(lesson, stuck):
    skill, failed = stuck
    other = next(s for s in sorted(lesson.skill_rows) if s != skill)
    work = [event(1 - n / 100, resource_id=resources_of(lesson, other)[0], outcome=1.0) for n in range(OTHER_WORK)]
    [flag] = ask(lesson, failed).flags
    assert (flag.code, flag.skill_id) == ("loop", skill)
    assert "today" in flag.text_teacher
    facts = flag.facts
    assert (facts["n"], facts["skill"]) == (3.0, lesson.titles.get(skill, skill))
    assert str(facts["last_at"]).startswith(f"{NOW:%Y-%m-%d}")
    assert (facts["done"], facts["title"]) != ("nothing", "") or flags.RESTS[1] in flag.text_teacher
    assert str(facts["title"]) in flag.text_teacher
    [later] = ask(lesson, failed, now=NOW + timedelta(days=STANDS_DAYS - 1)).flags
    assert "on 1 June" in later.text_teacher
    assert ask(lesson, failed, now=NOW + timedelta(days=STANDS_DAYS)).flags == ()
    assert ask(lesson, [*failed, *work[:-1]]).flags != ()
    assert ask(lesson, [*failed, *work]).flags == ()
    assert ask(lesson, [*failed, event(0.5, resource_id=failed[0].resource_id, outcome=1.0)]).flags == ()


def test_the_approach_is_called_another_only_where_the_slate_holds_another(lesson, stuck):
    skill, failed = stuck
    formats = {r.resource_id: r.format for r in lesson.catalogue.resources}
    tried = {formats[e.resource_id] for e in failed}
    elsewhere = next(
        r.resource_id for r in lesson.catalogue.resources if not {skill, *lesson.graph.get(skill, ())} & set(r.skills)
    )

    def said(*candidates):
        decision = ask(lesson, failed, candidates=candidates, k=1)
        return decision.flags[0].text_teacher, decision.slate[0].title

    text, title = said(failed[0].resource_id)
    assert flags.ALIKE[1].format(title=title) in text
    text, _ = said(elsewhere)
    assert flags.RESTS[1] in text
    before = [x for needed in lesson.graph[skill] for x in resources_of(lesson, needed)]
    others = [x for x in resources_of(lesson, skill) if formats[x] not in tried] + before
    assert others
    text, title = said(others[0])
    assert flags.CHANGED[1].format(title=title) in text


def test_what_was_tried_is_all_since_the_first_wrong_answer_in_a_row(lesson, stuck):
    """Something that was only looked at meanwhile does not push out what was answered wrong."""
    skill, failed = stuck
    menu = lesson.teaching.menu
    watched = next(r for r in resources_of(lesson, skill) if r not in {e.resource_id for e in failed})
    answerable = menu.answerable.copy()
    answerable[lesson.catalogue.resource_map.row(watched)] = False
    events = [event(20, resource_id=failed[0].resource_id, outcome=1.0), *failed, event(1, "viewed", watched)]
    state = folded(events, lesson.learner, lesson.offer)
    done = history_of(events, lesson.catalogue.resource_map).resource_index
    tried = tried_on(menu.number[skill], state, done, replace(menu, answerable=answerable))
    assert [lesson.catalogue.resource_map.ids[row] for row in tried] == [*(e.resource_id for e in failed), watched]
