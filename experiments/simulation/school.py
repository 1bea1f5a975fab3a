"""A school of learners in classes: who is in which class, since when, and what the teachers assign."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import BadInput
from engine.domain.history import microseconds
from engine.domain.learner import Learner, SchoolClass
from experiments.simulation.chance import Channel, uniform
from experiments.simulation.curriculum import N_WEEKS, Course, courses

Rows = NDArray[np.int64]

N_YEARS = 2
CLASS_SIZE = 28
# Learners now are thirty weeks into their year: most of the plan lies behind them, some of it ahead.
_WEEKS_SO_FAR = 30
_CAPTIONS_SHARE = 0.04
_SECOND_LANGUAGE_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class School:
    """Learners are numbered from 0; learner i is in course `i mod n_courses`, and in one class of it.

    `class_index`: `(n_learners,)` into `classes`. `assigned`: `(n_classes, N_WEEKS)`, the row in the course of the
    resource that the teacher assigns in that week. `starts_us`: `(n_classes,)` microseconds since 1970.
    """

    seed: int
    now: datetime
    n_learners: int
    courses: tuple[Course, ...]
    classes: tuple[SchoolClass, ...]
    class_index: Rows
    assigned: Rows
    starts_us: Rows

    def members(self, course_index: int) -> Rows:
        """The learners of one course, ascending."""
        return np.arange(course_index, self.n_learners, len(self.courses))

    def course_of(self, learner: int) -> Course:
        """The course a learner takes."""
        return self.courses[learner % len(self.courses)]

    def learner_id(self, learner: int) -> str:
        """The pseudonymous id of a learner."""
        return f"learner-{learner:06d}"

    def learner(self, learner: int) -> Learner:
        """What the school tells about a learner; what they know, like and need stays hidden in `Traits`."""
        grade = self.course_of(learner).grade
        language = second_language(self.seed, np.array([learner]))[0]
        return Learner(
            learner_id=self.learner_id(learner),
            classes=(self.classes[self.class_index[learner]].class_id,),
            features=(f"grade:{grade}",),
            subgroups=("language:second" if language else "language:first",),
            access_needs=("captions",) if needs_captions(self.seed, np.array([learner]))[0] else (),
            languages=("en",),
            sharing=True,
        )


def build_school(n_learners: int, *, seed: int, now: datetime) -> School:
    """The school of this seed, as it stands at `now` (aware).

    Raises `BadInput` for fewer than one learner, a seed outside 64 bits or a `now` without a time zone.
    """
    if n_learners < 1:
        raise BadInput("A school needs at least one learner; give a larger number of learners.")
    if not 0 <= seed < 2**63:
        raise BadInput("The seed must be a whole number from 0 to 2^63 - 1; give another seed.")
    if now.tzinfo is None:
        raise BadInput("The time the school stands at needs a time zone; give it with Z or an offset.")
    taught = courses()
    n_parallel = -(-n_learners // (len(taught) * N_YEARS * CLASS_SIZE))
    classes = tuple(
        _class(course, parallel=p, year=y, now=now)
        for course in taught
        for y in range(N_YEARS)
        for p in range(n_parallel)
    )
    learner = np.arange(n_learners)
    course, turn = learner % len(taught), learner // len(taught)
    class_index = (course * N_YEARS + turn % N_YEARS) * n_parallel + turn // N_YEARS % n_parallel
    return School(
        seed=seed,
        now=now,
        n_learners=n_learners,
        courses=taught,
        classes=classes,
        class_index=class_index,
        assigned=_assignments(taught, n_classes=len(classes), seed=seed),
        starts_us=np.array([microseconds(c.starts_at) for c in classes], dtype=np.int64),
    )


def needs_captions(seed: int, learners: Rows) -> NDArray[np.bool_]:
    """Who needs captions: `(n,)`."""
    return uniform(seed, learners, channel=Channel.NEEDS) < _CAPTIONS_SHARE


def second_language(seed: int, learners: Rows) -> NDArray[np.bool_]:
    """For whom the school's language is a second one: `(n,)`; changes nothing, for it is a subgroup for reports."""
    return uniform(seed, learners, channel=Channel.LANGUAGE) < _SECOND_LANGUAGE_SHARE


def _class(course: Course, *, parallel: int, year: int, now: datetime) -> SchoolClass:
    today = now.astimezone(UTC).date()
    weeks_ago = _WEEKS_SO_FAR + 52 * (N_YEARS - 1 - year)
    starts_at = datetime.combine(today - timedelta(days=today.weekday(), weeks=weeks_ago), time(8), tzinfo=UTC)
    group = _letters(parallel)
    return SchoolClass(
        class_id=f"{course.course_id}{group}-{starts_at:%Y-%m}",
        course_id=course.course_id,
        title=f"{course.title} {course.grade}{group}",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(weeks=N_WEEKS),
    )


def _letters(number: int) -> str:
    """a, b, …, z, aa, ab, … as schools name parallel classes."""
    head, tail = divmod(number, 26)
    return (_letters(head - 1) if head else "") + chr(ord("a") + tail)


def _assignments(taught: tuple[Course, ...], *, n_classes: int, seed: int) -> Rows:
    """Each teacher assigns one resource a week, one of those planned for that week."""
    per_course = n_classes // len(taught)
    drawn = uniform(seed, np.arange(n_classes)[:, None], step=np.arange(N_WEEKS)[None, :], channel=Channel.ASSIGNMENT)
    assigned = np.empty((n_classes, N_WEEKS), dtype=np.int64)
    for i, course in enumerate(taught):
        first = np.searchsorted(course.week, np.arange(N_WEEKS))
        count = np.bincount(course.week, minlength=N_WEEKS)
        of_course = slice(i * per_course, (i + 1) * per_course)
        assigned[of_course] = first + (drawn[of_course] * count).astype(np.int64)
    return assigned
