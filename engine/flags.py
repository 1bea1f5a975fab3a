"""What a teacher should know of beside a slate: loops that still stand, and what this slate does about each."""

from collections.abc import Mapping, Sequence

from engine.domain.catalogue import Catalogue
from engine.domain.decision import Flag
from engine.domain.query import Query
from engine.learner.evidence import day_of, time_of
from engine.learner.mastery import evidence_of
from engine.learner.menu import Menu
from engine.learner.state import LearnerState
from engine.ranking.loops import is_another_way, tried_on
from engine.ranking.objective import N_LOOP

LOOP = "The last {n} answers on {skill} were wrong{when}. {done} A word with the learner, or a peer who can explain it, may help more."  # noqa: E501 - one sentence after another
# What this slate does about it.
CHANGED = "another_way", "“{title}” is offered now, another way to it."
ALIKE = "alike", "“{title}” is what is offered on it now, much like what was tried: another way to it should be found."
RESTS = "nothing", "Nothing that is offered now leads to it: another way to it should be found."


def loop_flags(
    loops: Sequence[int],
    rows: Sequence[int],
    state: LearnerState,
    query: Query,
    *,
    menu: Menu,
    catalogue: Catalogue,
    titles: Mapping[str, str],
) -> tuple[Flag, ...]:
    """A flag for each of these loops, which still stand, true of the slate of these `rows`, best first."""
    flags = []
    for skill in loops:
        skill_id, last_us = menu.skills[skill], evidence_of(state, int(menu.skill_keys[skill])).last_us
        tried = tried_on(skill, state, query.history.resource_index, menu)
        done, title = _done_about(skill, rows, tried, menu, catalogue)
        words = LOOP.format(
            n=N_LOOP,
            skill=titles.get(skill_id, skill_id),
            when="" if last_us is None else f", the last one {day_of(last_us, query.now_us)}",
            done=done[1].format(title=title),
        )
        facts: dict[str, str | float | tuple[str, ...]] = {
            "n": float(N_LOOP), "skill": titles.get(skill_id, skill_id), "done": done[0], "title": title,
        }  # fmt: skip
        if last_us is not None:
            facts["last_at"] = time_of(last_us)
        flags.append(Flag(code="loop", skill_id=skill_id, text_teacher=words, facts=facts))
    return tuple(flags)


def _done_about(
    skill: int, rows: Sequence[int], tried: list[int], menu: Menu, catalogue: Catalogue
) -> tuple[tuple[str, str], str]:
    """What the slate does about a loop, and the title of the first option that leads to the skill, which decides."""
    for row in rows:
        another = is_another_way(row, skill, tried, menu)
        if another or skill in menu.skills_of(row):
            return CHANGED if another else ALIKE, catalogue.title(row)
    return RESTS, ""
