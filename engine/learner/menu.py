"""A catalogue as questions to a learner's state: each resource, and what is usual of each skill, as rows made once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from engine.domain.resource import Resource
from engine.learner.gains import ROW_COLUMNS, SKILL_COLUMNS, usual_minutes
from engine.learner.kernels import fold
from engine.learner.mastery import NEVER_MET, pace_of, usual_items
from engine.learner.model import LearnerModel
from engine.learner.rows import PackedRows, Rows, asked_rows, minutes_of, skill_key, stacked
from engine.learner.state import LearnerState

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Menu:
    """Rows of the catalogue as rows to ask about; skills are numbered in the order of `skills`.

    The skills of resource `r` are `skill_ptr[r]:skill_ptr[r + 1]` of `skill`; what is needed before skill `k` is
    `needed_ptr[k]:needed_ptr[k + 1]` of `needed`; its usual items are rows `usual_ptr[k]:usual_ptr[k + 1]` of `usual`.
    `minutes`: `(n_resources,)` declared, NaN where not. `timed`: whether the log knows times of the resource.
    `answerable`: whether an answer may be expected of it, which is so until the log shows that none ever comes of it,
    or where it is hardly known, of its format.
    """

    resources: Rows
    usual: Rows
    usual_ptr: Ints
    skills: tuple[str, ...]
    number: Mapping[str, int]
    skill_ptr: Ints
    skill: Ints
    needed_ptr: Ints
    needed: Ints
    minutes: Floats
    timed: NDArray[np.bool_]
    answerable: NDArray[np.bool_]
    formats: tuple[str, ...]
    _closures: dict[int, frozenset[int]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def skill_keys(self) -> NDArray[np.uint64]:
        """The keys of the skills: `(n_skills,)`."""
        return self.usual.skill_key[self.usual.skill_ptr[self.usual_ptr[:-1]]]

    def skills_of(self, row: int) -> Ints:
        """The skills a resource teaches, ascending."""
        return self.skill[self.skill_ptr[row] : self.skill_ptr[row + 1]]

    def needed_by(self, skill: int) -> Ints:
        """What is needed before a skill."""
        return self.needed[self.needed_ptr[skill] : self.needed_ptr[skill + 1]]

    def pairs(self, rows: Ints) -> tuple[Ints, Ints]:
        """Each resource with each of its skills: places in `rows`, and skills; `(n_pairs,)` both."""
        lengths = np.diff(self.skill_ptr)[rows]
        starts = np.repeat(self.skill_ptr[rows] - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
        return np.repeat(np.arange(len(rows)), lengths), self.skill[np.arange(int(lengths.sum())) + starts]

    def closure(self, skills: Sequence[int]) -> list[int]:
        """These skills and everything needed before them, ascending."""
        found: set[int] = set()
        return sorted(found.union(*(self._closure(skill) for skill in skills)))

    def _closure(self, skill: int) -> frozenset[int]:
        """One skill and everything needed before it, looked up once."""
        if skill not in self._closures:
            found, todo = {skill}, [skill]
            while todo:
                new = set(self.needed_by(todo.pop()).tolist()) - found
                found |= new
                todo += new
            self._closures[skill] = frozenset(found)
        return self._closures[skill]


def menu_of(resources: Sequence[Resource | None], needed: Mapping[str, Sequence[str]], model: LearnerModel) -> Menu:
    """The menu of a catalogue's rows; `needed` is the mended graph: the skills needed before each skill."""
    offered = [(r.resource_id, tuple(sorted(set(r.skills)))) if r else ("", ()) for r in resources]
    skills = tuple(sorted({*needed, *(p for ps in needed.values() for p in ps), *(s for _, ss in offered for s in ss)}))
    number = {skill: k for k, skill in enumerate(skills)}
    rows = _plain(asked_rows(offered, 0, model.vocabulary))
    items = model.vocabulary.item_rows(rows.item_key)
    before = [sorted({number[p] for p in needed.get(skill, ())}) for skill in skills]
    usual, usual_ptr = _usual(skills, model)
    return Menu(
        resources=rows,
        usual=usual,
        usual_ptr=usual_ptr,
        skills=skills,
        number=number,
        skill_ptr=_ptr([len(ss) for _, ss in offered]),
        skill=np.array([number[s] for _, ss in offered for s in ss], np.int64),
        needed_ptr=_ptr([len(b) for b in before]),
        needed=np.array([p for b in before for p in b], np.int64),
        minutes=np.array([np.nan if r is None or r.minutes is None else r.minutes for r in resources], np.float64),
        timed=np.append(model.vocabulary.timed, False)[items],
        answerable=_answerable(resources, items, model),
        formats=tuple(r.format if r else "" for r in resources),
    )


@dataclass(frozen=True, slots=True)
class Known:
    """What a state says of some rows of a menu, `(n,)` each, and of some skills, `(n_skills,)` over the whole menu.

    `p` of success, `minutes` expected, `own` facts `(n, 5)`; `mastery` and `facts` `(n_skills, 4)`, NaN where a skill
    was not asked about.
    """

    rows: Ints
    p: Floats
    minutes: Floats
    own: NDArray[np.float32]
    mastery: Floats
    facts: NDArray[np.float32]


def known_of(menu: Menu, rows: Ints, skills: Ints, *, state: LearnerState, model: LearnerModel, now_us: int) -> Known:
    """What a learner's state says now of these rows and skills of the menu."""
    lengths = np.diff(menu.usual_ptr)[skills]
    first = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    usual = np.arange(first[-1]) + np.repeat(menu.usual_ptr[skills] - first[:-1], lengths)
    asked = stacked([menu.resources.taken(rows), menu.usual.taken(usual)])
    asked = replace(asked, t=np.full(len(asked), minutes_of(now_us)))
    _, _, x = fold(model.prepared, asked, state.whole, state.blocks, update=False, features=True)
    assert x is not None
    seen, n = np.ascontiguousarray(x[:, model.columns]), len(rows)
    p = model.p_success(seen, asked.item_row)
    mastery, facts = np.full(len(menu.skills), np.nan), np.full((len(menu.skills), 4), np.nan, np.float32)
    if len(skills):
        mastery[skills] = np.add.reduceat(p[n:], first[:-1]) / lengths
        facts[skills] = x[n:][first[:-1]][:, SKILL_COLUMNS]
    minutes = usual_minutes(menu.minutes[rows]) * pace_of(state)
    timed = menu.timed[rows]
    if timed.any():
        minutes[timed] = np.exp(model.log_seconds(seen[:n][timed])) / 60.0
    return Known(rows, p[:n], minutes, x[:n][:, ROW_COLUMNS], mastery, facts)


def usual_time(
    menu: Menu, skills: Ints, *, state: LearnerState, model: LearnerModel, now_us: int
) -> tuple[Floats, Floats]:
    """Minutes of a usual item of each of these skills, and the spread of their log: `(n,)` both.

    Where the log knows no time of a skill's items, minutes are what a resource usually takes, at the learner's pace.
    """
    if not len(skills):
        return np.zeros(0), np.zeros(0)
    lengths = np.diff(menu.usual_ptr)[skills]
    first = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    usual = np.arange(first[-1]) + np.repeat(menu.usual_ptr[skills] - first[:-1], lengths)
    asked = menu.usual.taken(usual)
    asked = replace(asked, t=np.full(len(asked), minutes_of(now_us)))
    _, _, x = fold(model.prepared, asked, state.whole, state.blocks, update=False, features=True)
    assert x is not None
    said = model.outlook(x[:, model.columns], asked.item_row)
    mean, sd = (np.add.reduceat(of, first[:-1]) / lengths for of in (said.log_seconds_mean, said.log_seconds_sd))
    timed = np.logical_or.reduceat(np.append(model.vocabulary.timed, False)[asked.item_row], first[:-1])
    unknown = usual_minutes(np.full(len(skills), np.nan)) * pace_of(state)
    return np.where(timed, np.exp(mean) / 60.0, unknown), sd


def _usual(skills: Sequence[str], model: LearnerModel) -> tuple[Rows, Ints]:
    """The usual items of each skill as if nobody had ever met them, and where those of each skill begin."""
    keys = np.array([skill_key(s) for s in skills], np.uint64)
    items, of_skill = usual_items(keys, model)
    rows = _plain(asked_rows([("", (skills[k],)) for k in of_skill], 0, model.vocabulary))
    rows = replace(rows, item_row=items, item_key=np.full(len(items), NEVER_MET, np.uint64))
    return rows, np.searchsorted(of_skill, np.arange(len(skills) + 1)).astype(np.int64)


def _answerable(
    resources: Sequence[Resource | None], items: NDArray[np.int32], model: LearnerModel
) -> NDArray[np.bool_]:
    told = np.append(model.vocabulary.answered, 0)[items]
    silent = np.array([r is not None and r.format in model.silent_formats for r in resources], bool)
    return np.where(told == 0, ~silent, told > 0)


def _plain(rows: Rows | PackedRows) -> Rows:
    return rows.arrays() if isinstance(rows, PackedRows) else rows


def _ptr(lengths: Sequence[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
