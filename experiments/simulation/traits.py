"""What makes learners differ, hidden from the engine: what they bring, how they learn, what they like."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.simulation.chance import Channel, normal, uniform
from experiments.simulation.curriculum import FORMATS, Course
from experiments.simulation.school import School, needs_captions

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Traits:
    """One row per learner of one course, S skills, R resources.

    `learner`, `class_index`, `starts_us`: `(n,)`. `assigned`: `(n, N_WEEKS)`. `start`: `(n, S)` mastery on the first
    day. `rate`: `(n,)` factor on learning. `pace`: `(n,)` log of the time taken relative to usual. `taste`: `(n, F)`
    by format. `diligence`: `(n,)` chance to take part. `trust`: `(n,)` chance to take what is recommended.
    `followable`: `(n, R)` bool, allowed by access needs.
    """

    learner: Rows
    class_index: Rows
    starts_us: Rows
    assigned: Rows
    start: Floats
    rate: Floats
    pace: Floats
    taste: Floats
    diligence: Floats
    trust: Floats
    followable: NDArray[np.bool_]


def traits_of(school: School, course: Course, learners: Rows) -> Traits:
    """The traits of these learners: starts differ a lot between learners, rates hardly (Koedinger et al. 2023)."""
    seed, who = school.seed, learners[:, None]
    n_skills = len(course.skills)
    ability = 0.4 + 0.9 * normal(seed, learners, channel=Channel.ABILITY)
    spread = 0.7 * normal(seed, who, channel=Channel.START + 2 * np.arange(n_skills))
    depth = 0.1 * np.arange(n_skills)
    class_index = school.class_index[learners]
    return Traits(
        learner=learners,
        class_index=class_index,
        starts_us=school.starts_us[class_index],
        assigned=school.assigned[class_index],
        start=1.0 / (1.0 + np.exp(-(ability[:, None] + spread - depth))),
        rate=np.exp(0.1 * normal(seed, learners, channel=Channel.RATE)),
        pace=0.3 * normal(seed, learners, channel=Channel.PACE),
        taste=0.8 * normal(seed, who, channel=Channel.TASTE + 2 * np.arange(len(FORMATS))),
        diligence=0.55 + 0.45 * uniform(seed, learners, channel=Channel.DILIGENCE),
        trust=0.4 + 0.5 * uniform(seed, learners, channel=Channel.TRUST),
        followable=~needs_captions(seed, learners)[:, None] | course.captioned,
    )
