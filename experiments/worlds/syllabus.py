"""The shelf of a simulated world: skills that build on each other, and materials that teach them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMATS = ("video", "exercise", "reading", "project")


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """One resource as the world knows it; the catalogue tells neither its difficulty nor its quality.

    `skills` holds the skill it is about first; `difficulty` is a normal deviate, `quality` a factor around 1.
    """

    resource_id: str
    skills: tuple[int, ...]
    format: str
    minutes: float
    difficulty: float
    quality: float


@dataclass(frozen=True, slots=True)
class Syllabus:
    """What a world teaches: for each skill the earlier skills it needs, and the materials in the planned order."""

    prerequisites: tuple[tuple[int, ...], ...]
    materials: tuple[Material, ...]

    @property
    def n_skills(self) -> int:
        """How many skills there are."""
        return len(self.prerequisites)

    def tables(self, *, tells_graph: bool) -> dict[str, list[dict[str, Any]]]:
        """The catalogue as the world tells it, with the prerequisites or without."""
        resources = [
            {
                "resource_id": m.resource_id,
                "title": f"{m.format} on {', '.join(map(skill_id, m.skills))}",
                "format": m.format,
                "skills": [skill_id(s) for s in m.skills],
                "minutes": m.minutes,
                "position": place,
            }
            for place, m in enumerate(self.materials)
        ]
        skills = [
            {
                "skill_id": skill_id(s),
                "title": f"Skill {s}",
                "prerequisites": [skill_id(p) for p in before] if tells_graph else [],
            }
            for s, before in enumerate(self.prerequisites)
        ]
        return {"resources": resources, "skills": skills}

    def unmet(self, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which skills have a prerequisite that is not known: `(n_skills,)` bool."""
        return np.array([not all(known[p] for p in before) for before in self.prerequisites])


def skill_id(skill: int) -> str:
    """The outside id of a skill; ids sort as skills do."""
    return f"skill-{skill:02d}"


def syllabus_of(seed: int, *, n_skills: int, per_skill: int, second_skill: float = 0.0) -> Syllabus:
    """A syllabus of this seed: up to two prerequisites a skill among the five before it, usual times around 5 minutes.

    `second_skill` is the share of materials that are about another skill as well.
    """
    rng = np.random.default_rng(seed)
    prerequisites = tuple(_before(skill, rng) for skill in range(n_skills))
    materials = tuple(
        _material(skill, number, n_skills, second_skill, rng)
        for skill in range(n_skills)
        for number in range(per_skill)
    )
    return Syllabus(prerequisites, materials)


def _before(skill: int, rng: np.random.Generator) -> tuple[int, ...]:
    near = np.arange(max(0, skill - 5), skill)
    n = min(int(rng.integers(0, 3)), len(near)) if skill > 1 else 0
    return tuple(sorted(int(s) for s in rng.choice(near, n, replace=False)))


def _material(skill: int, number: int, n_skills: int, second_skill: float, rng: np.random.Generator) -> Material:
    other, has_other = int(rng.integers(n_skills)), rng.random() < second_skill
    return Material(
        resource_id=f"r{skill:02d}-{number}",
        skills=(skill, other) if has_other and other != skill else (skill,),
        format=FORMATS[int(rng.integers(len(FORMATS)))],
        minutes=round(math.exp(rng.normal(math.log(5.0), 0.45)), 1),
        difficulty=float(rng.normal()),
        quality=math.exp(rng.normal(0.0, 0.4)),
    )
