"""What the simulated school teaches: courses of skills in the order of the plan, and the resources of each skill."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.resource import Resource
from engine.domain.skill import Skill

N_WEEKS = 36


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of resource: its usual minutes, what finishing it is logged as, and how much it teaches.

    `difficulty` lowers the chance of success and is None where nothing is scored; `gain` is the share of what is not
    yet known that one use teaches a learner who is ready.
    """

    suffix: str
    format: str
    title: str
    minutes: float
    kind: str
    gain: float
    difficulty: float | None = None


FORMS = (
    Form("video", "video", "{skill}: a short film", 8, "viewed", 0.2),
    Form("reading", "reading", "{skill} in plain words", 12, "viewed", 0.18),
    Form("practice", "exercise", "Practice: {skill}", 15, "attempted", 0.35, 0.0),
    Form("talk", "discussion", "Talk it over: {skill}", 20, "completed", 0.22),
    Form("challenge", "exercise", "Challenge: {skill}", 20, "attempted", 0.38, 0.2),
    Form("project", "project", "Project: {project}", 45, "submitted", 0.45, 0.1),
)
FORMATS = ("discussion", "exercise", "project", "reading", "video")

_Plan = tuple[tuple[str, str, tuple[str, ...], str], ...]

# (skill, title, prerequisites, project), in the order of the plan, prerequisites always first.
_MATHEMATICS: _Plan = (
    ("frac-1", "Equivalent fractions", (), "Fold a fraction wall"),
    ("frac-2", "Adding and subtracting fractions", ("frac-1",), "Share a pizza fairly"),
    ("frac-3", "Multiplying fractions", ("frac-1",), "Halve the recipe"),
    ("dec-1", "Decimals and place value", (), "A shop with exact change"),
    ("pct-1", "Percentages", ("frac-3", "dec-1"), "Spot the real discount"),
    ("ratio-1", "Ratios", ("frac-3",), "Mix your own paint"),
    ("ratio-2", "Proportional relationships", ("ratio-1",), "Draw the classroom to scale"),
    ("int-1", "Negative numbers", (), "A year of temperatures"),
    ("alg-1", "Expressions with letters", ("int-1", "frac-2"), "A number trick that always works"),
    ("alg-2", "Linear equations", ("alg-1",), "Which phone plan is cheaper?"),
    ("alg-3", "Linear functions", ("alg-2", "ratio-2"), "Fill the bathtub"),
)
_SCIENCE: _Plan = (
    ("mat-1", "Particles and states of matter", (), "Melt, boil, freeze: a lab diary"),
    ("mat-2", "Density", ("mat-1",), "Build a layered drink"),
    ("ene-1", "Forms of energy", (), "Energy at home"),
    ("ene-2", "Heat and temperature", ("mat-1", "ene-1"), "The best lunch box"),
    ("ele-1", "Simple circuits", ("ene-1",), "A torch from scrap"),
    ("ele-2", "Voltage and resistance", ("ele-1",), "Dim the light"),
    ("eco-1", "Food webs", (), "The web behind the school"),
    ("eco-2", "Photosynthesis", ("eco-1", "ene-1"), "Grow it in the dark"),
    ("cli-1", "The carbon cycle", ("eco-2", "mat-1"), "Follow one carbon atom"),
    ("cli-2", "Weather and climate", ("cli-1", "ene-2"), "Our own weather station"),
)
_ENGLISH: _Plan = (
    ("txt-1", "Finding the main idea", (), "One article, one sentence"),
    ("gra-1", "Sentences and clauses", (), "Repair a broken story"),
    ("wrd-1", "Word families and roots", (), "A family tree of words"),
    ("txt-2", "Evidence from a text", ("txt-1",), "The case of the missing bicycle"),
    ("gra-2", "Punctuation that carries meaning", ("gra-1",), "Eats, shoots and leaves"),
    ("wri-1", "A paragraph with a point", ("txt-1", "gra-1"), "A letter to the head"),
    ("poe-1", "Figurative language", ("wrd-1",), "A metaphor a day"),
    ("poe-2", "Reading a poem closely", ("poe-1", "txt-2"), "A poem, annotated"),
    ("wri-2", "Argument and counter-argument", ("wri-1", "txt-2"), "Should phones be banned?"),
    ("wri-3", "A speech that persuades", ("wri-2", "gra-2"), "Two minutes on stage"),
)
_COURSES = (
    ("m7", "Mathematics", 7, _MATHEMATICS),
    ("s8", "Science", 8, _SCIENCE),
    ("e7", "English", 7, _ENGLISH),
)


@dataclass(frozen=True, slots=True)
class Course:
    """One course as nouns and as arrays, R resources and S skills, both in the order of the plan.

    `skill_index`: `(R, 2)`, the main skill and the one it also uses, twice the same where there is one. `needs`:
    `(S, 2)`, prerequisites, S where there is none. `week`: `(R,)`, planned, from 0. `difficulty`: `(R,)`, NaN where
    nothing is scored. `minutes`, `gain`: `(R,)`. `form_index`, `format_index`: `(R,)` into `FORMS` and `FORMATS`.
    `captioned`: `(R,)` bool, can be followed without sound.
    """

    course_id: str
    title: str
    grade: int
    skills: tuple[Skill, ...]
    resources: tuple[Resource, ...]
    skill_index: NDArray[np.intp]
    needs: NDArray[np.intp]
    week: NDArray[np.int64]
    difficulty: NDArray[np.float64]
    minutes: NDArray[np.float64]
    gain: NDArray[np.float64]
    form_index: NDArray[np.intp]
    format_index: NDArray[np.intp]
    captioned: NDArray[np.bool_]


def courses() -> tuple[Course, ...]:
    """The three courses of the school."""
    return tuple(_course(course_id, title, grade, plan) for course_id, title, grade, plan in _COURSES)


def _course(course_id: str, title: str, grade: int, plan: _Plan) -> Course:
    place = {f"{course_id}-{row[0]}": i for i, row in enumerate(plan)}
    skills = tuple(
        Skill(
            skill_id=f"{course_id}-{x_id}",
            title=name,
            prerequisites=tuple(f"{course_id}-{p}" for p in before),
            parent=course_id,
        )
        for x_id, name, before, _ in plan
    )
    made = [(skill, form, row[3]) for skill, row in zip(skills, plan, strict=True) for form in FORMS]
    resources = tuple(
        _resource(skill, form, project=project, position=i, grade=grade)
        for i, (skill, form, project) in enumerate(made)
    )
    forms = [form for _, form, _ in made]
    return Course(
        course_id=course_id,
        title=title,
        grade=grade,
        skills=skills,
        resources=resources,
        skill_index=np.array([[place[r.skills[0]], place[r.skills[-1]]] for r in resources], dtype=np.intp),
        needs=np.array([_padded([place[p] for p in s.prerequisites], len(skills)) for s in skills], dtype=np.intp),
        week=np.arange(len(resources)) * N_WEEKS // len(resources),
        difficulty=np.array([np.nan if f.difficulty is None else f.difficulty for f in forms]),
        minutes=np.array([f.minutes for f in forms], dtype=np.float64),
        gain=np.array([f.gain for f in forms]),
        form_index=np.array([FORMS.index(f) for f in forms], dtype=np.intp),
        format_index=np.array([FORMATS.index(f.format) for f in forms], dtype=np.intp),
        captioned=np.array(["captions" in r.access for r in resources]),
    )


def _resource(skill: Skill, form: Form, *, project: str, position: int, grade: int) -> Resource:
    # A project also uses what came before; every third film has no captions.
    also = skill.prerequisites[:1] if form.format == "project" else ()
    captioned = form.format != "video" or (position // len(FORMS)) % 3 != 2
    return Resource(
        resource_id=f"{skill.skill_id}-{form.suffix}",
        title=form.title.format(skill=skill.title, project=project),
        format=form.format,
        skills=(skill.skill_id, *also),
        minutes=form.minutes,
        position=position + 1,
        language="en",
        grade_min=grade,
        grade_max=grade + 1,
        tags=(skill.parent or "",),
        access=("captions", "keyboard") if captioned else ("keyboard",),
    )


def _padded(rows: list[int], nothing: int) -> list[int]:
    return [*rows, nothing, nothing][:2]
