"""A flag speaks of a loop that still stands, says when, and is true of the slate it is sent with."""

from datetime import timedelta

import pytest

from engine import flags
from engine.ranking.loops import OTHER_WORK, STANDS_DAYS
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
    assert flags.ALIKE.format(title=title) in text
    text, _ = said(elsewhere)
    assert flags.RESTS in text
    before = [x for needed in lesson.graph[skill] for x in resources_of(lesson, needed)]
    others = [x for x in resources_of(lesson, skill) if formats[x] not in tried] + before
    assert others
    text, title = said(others[0])
    assert flags.CHANGED.format(title=title) in text
