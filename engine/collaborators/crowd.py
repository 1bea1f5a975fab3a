"""Those who may learn together, as arrays: what each knows, is ready for, likes and needs."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.interaction import Interaction
from engine.learner.menu import known_of
from engine.learner.preferences import Goal, Preferences
from engine.learner.rows import skill_key
from engine.learner.state import LearnerState
from engine.learner.tracing import MASTERED
from engine.ranking.learning import Teaching

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Of what a skill builds on, each must be known this well before work on it makes sense.
_READY = 0.6
_NOTHING_SAID = Preferences()
_GRADE = re.compile(r"grade[:_ -]?(\d{1,2})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is known of one of them beside what they can do; `sharing` False wants neither to ask nor to be asked."""

    learner_id: str
    class_ids: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    sharing: bool | None = None
    goal: Goal | None = None
    preferences: Preferences = _NOTHING_SAID


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """`mastery` `(n, n_skills)` in [0, 1], NaN unknown; `answers` `(n, n_skills)` it stands on; `ready` alike.

    `known` is mastery with one half where it is unknown, `mastered` says who mastered what on evidence, `gap` is what
    is missing of what somebody is ready for and has not mastered: all made by `abilities_of`.
    """

    skills: tuple[str, ...]
    mastery: Floats
    answers: Ints
    ready: Bools
    known: Floats
    mastered: Bools
    gap: Floats


def abilities_of(
    skills: tuple[str, ...], mastery: Floats, answers: Ints, ready: Bools, *, sure: Floats | None = None
) -> Abilities:
    """Abilities with all that follows from them, looked at once for many questions.

    `sure`: `(n, n_skills)` how surely each skill is known, where somebody can say it better than mastery does.
    """
    known = np.nan_to_num(mastery, nan=0.5)
    mastered = ((known if sure is None else np.nan_to_num(sure, nan=0.5)) >= MASTERED) & (answers > 0)
    gap = np.where(ready & ~mastered, 1.0 - known, 0.0)
    return Abilities(
        skills=skills, mastery=mastery, answers=answers, ready=ready, known=known, mastered=mastered, gap=gap
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Rows of learners, by id.

    `interests`: names such as `format:project` and `goal:frac-1`, `likes` `(n, n_interests)`. `classes`, `member`
    `(n, n_classes)`. `grade`: `(n,)`, NaN unknown. `speaks`: `(n, n_languages)`, all False where none is told. `open_`
    wants to be asked, `free` has time today: `(n,)`.
    """

    learner_ids: tuple[str, ...]
    abilities: Abilities
    titles: Mapping[str, str]
    interests: tuple[str, ...]
    likes: Bools
    classes: tuple[str, ...]
    member: Bools
    grade: Floats
    speaks: Bools
    open_: Bools
    free: Bools

    def __len__(self) -> int:
        """How many learners."""
        return len(self.learner_ids)

    def rows(self) -> dict[str, int]:
        """The row of each learner."""
        return {x: row for row, x in enumerate(self.learner_ids)}

    def title(self, name: str) -> str:
        """What a skill or an interest is called."""
        kind, _, rest = name.partition(":")
        return self.titles.get(name) or (self.titles.get(rest, rest) if kind in ("format", "goal") and rest else name)


def crowd_of(people: Sequence[Person], abilities: Abilities, titles: Mapping[str, str]) -> Crowd:
    """The crowd of these people, whose abilities stand in the same rows."""
    liked = [
        {f"format:{f}" for f in p.preferences.formats} | {f"goal:{s}" for s in (p.goal.skills if p.goal else ())}
        for p in people
    ]
    interests, likes = _marked(liked)
    classes, member = _marked([set(p.class_ids) for p in people])
    # Where or how a language is spoken keeps nobody from another: of de-CH and de both is de.
    spoken = [p.preferences.languages or p.languages for p in people]
    _, speaks = _marked([{tag.partition("-")[0].lower() for tag in tags} for tags in spoken])
    return Crowd(
        learner_ids=tuple(p.learner_id for p in people),
        abilities=abilities,
        titles=titles,
        interests=interests,
        likes=likes,
        classes=classes,
        member=member,
        grade=np.array([grade_of(p.features) for p in people], np.float64),
        speaks=speaks,
        open_=np.array([p.sharing is not False for p in people], bool),
        free=np.array([p.preferences.minutes_per_day != 0 for p in people], bool),
    )


def estimated(
    states: Sequence[LearnerState], skills: Sequence[str], teaching: Teaching, *, now_us: int
) -> tuple[Floats, Floats, Ints]:
    """Mastery of these skills by the learner model, how surely they are known, and how many answers that stands on:
    `(n, n_skills)` each.

    NaN for skills the menu does not know.
    """
    menu, model = teaching.menu, teaching.model
    known = [k for k, skill in enumerate(skills) if skill in menu.number]
    asked = np.array([menu.number[skills[k]] for k in known], np.int64)
    keys = np.array([skill_key(skills[k]) for k in known], np.uint64)
    order = np.argsort(asked, kind="stable")
    asked, keys, place = asked[order], keys[order], np.array(known, np.int64)[order]
    mastery, sure = (np.full((len(states), len(skills)), np.nan) for _ in range(2))
    answers = np.zeros((len(states), len(skills)), np.int64)
    none = np.empty(0, np.int64)
    for row, state in enumerate(states) if len(asked) else ():
        said = known_of(menu, none, asked, state=state, model=model, now_us=now_us)
        mastery[row, place], sure[row, place] = said.mastery[asked], said.known[asked]
        met = dict(zip(state.blocks["key"].tolist(), state.blocks["n"].tolist(), strict=True))
        answers[row, place] = [int(met.get(key, 0)) for key in keys.tolist()]
    return mastery, sure, answers


def counted(
    events: Sequence[Iterable[Interaction]], skills: Sequence[str], taught: Mapping[str, Sequence[str]]
) -> tuple[Floats, Ints]:
    """The same where no model is: the mean outcome, two answers at one half beside it; NaN where nothing was answered.

    `taught` are the skills of each resource.
    """
    number = {skill: k for k, skill in enumerate(skills)}
    total, answers = np.zeros((len(events), len(skills))), np.zeros((len(events), len(skills)), np.int64)
    for row, own in enumerate(events):
        for event in own:
            if event.outcome is None or event.kind != "attempted":
                continue
            given = event.skills if event.skills is not None else taught.get(event.resource_id or "", ())
            for k in {number[s] for s in given if s in number}:
                total[row, k] += event.outcome
                answers[row, k] += 1
    return np.where(answers > 0, (total + 1.0) / (answers + 2.0), np.nan), answers


def readiness_of(mastery: Floats, skills: Sequence[str], graph: Mapping[str, Sequence[str]]) -> Bools:
    """Who is ready for what: everything needed before it, as far as it is among these skills, is known well enough."""
    number = {skill: k for k, skill in enumerate(skills)}
    ready = np.ones(mastery.shape, bool)
    for k, skill in enumerate(skills):
        for needed in graph.get(skill, ()):
            if needed in number:
                ready[:, k] &= ~(mastery[:, number[needed]] < _READY)
    return ready


def _marked(sets: Sequence[set[str]]) -> tuple[tuple[str, ...], Bools]:
    names = tuple(sorted(set().union(*sets)))
    number = {name: k for k, name in enumerate(names)}
    marks = np.zeros((len(sets), len(names)), bool)
    for row, own in enumerate(sets):
        marks[row, [number[name] for name in own]] = True
    return names, marks


def grade_of(features: Iterable[str]) -> float:
    """The grade that a learner's features tell, as `grade:7`; NaN where none does."""
    found = [match for match in map(_GRADE.fullmatch, features) if match]
    return float(found[0][1]) if found else float("nan")
