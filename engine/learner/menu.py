"""A catalogue as questions to a learner's state: each resource, and what is usual of each skill, as rows made once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.domain.resource import Resource
from engine.learner.gains import ROW_COLUMNS, SKILL_COLUMNS, USUAL_MINUTES, usual_minutes
from engine.learner.kernels import AskedRows, address, ask, library
from engine.learner.mastery import NEVER_MET, pace_of, usual_items
from engine.learner.minutes import Minutes
from engine.learner.model import LearnerModel
from engine.learner.rows import PackedRows, Rows, asked_rows, minutes_of, skill_key, stacked
from engine.learner.spans import Spans, spans_of
from engine.learner.state import LearnerState
from engine.learner.tracing import Tracing

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Number = TypeVar("Number", bound=np.generic)

# Beside what the learner model looks at: what a step is judged by.
_MORE = np.concatenate([SKILL_COLUMNS, ROW_COLUMNS]).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Menu:
    """Rows of the catalogue as rows to ask about; skills are numbered in the order of `skills`.

    `asked` holds the resources in the order of the catalogue, then the usual items of skills, which `usual` names for
    each skill. `taught` are the skills of each resource, `needed` what is needed before each skill, `teaching` the
    resources that teach each skill. `skill_keys`: `(n_skills,)`. `minutes`: `(n_resources,)` declared, NaN where not;
    `usual_minutes` the same, with the usual ones where not, `log_minutes` their logarithm. `timed`: whether the log
    knows times of the resource, `tells_minutes` whether the log or the catalogue does. `formats` names the format of
    each resource, `format_index` its place in `format_names`. `answerable`: whether an answer may be expected of a
    resource, which is so until the log shows that none ever comes of it, or where it is hardly known, of its format.
    `by_key` numbers the skills by their keys.
    """

    asked: AskedRows
    skills: tuple[str, ...]
    number: Mapping[str, int]
    skill_keys: NDArray[np.uint64]
    usual: Spans
    taught: Spans
    needed: Spans
    teaching: Spans
    minutes: Floats
    usual_minutes: Floats
    log_minutes: Floats
    timed: NDArray[np.bool_]
    formats: tuple[str, ...]
    format_names: tuple[str, ...]
    format_index: Ints
    answerable: NDArray[np.bool_]
    tells_minutes: NDArray[np.bool_]
    by_key: Mapping[int, int]
    _closures: dict[int, frozenset[int]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def item_keys(self) -> NDArray[np.uint64]:
        """The keys of the resources: `(n_resources,)`."""
        return self.asked.rows.item_key[: len(self.minutes)]

    def skills_of(self, row: int) -> Ints:
        """The skills a resource teaches, ascending."""
        return self.taught.of(row)

    def needed_by(self, skill: int) -> Ints:
        """What is needed before a skill."""
        return self.needed.of(skill)

    def pairs(self, rows: Ints) -> tuple[Ints, Ints]:
        """Each resource with each of its skills: places in `rows`, and skills; `(n_pairs,)` both."""
        return self.taught.gathered(rows)

    def answering(self, skill: int) -> Ints:
        """The resources that teach a skill and of which an answer may be expected."""
        rows = self.teaching.of(skill)
        return rows[self.answerable[rows]]

    def reviewing(self, skill: int) -> Ints:
        """The resources a review of a skill falls on: those that show what is remembered, where there are any."""
        rows = self.answering(skill)
        return rows if len(rows) else self.teaching.of(skill)

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
    keys = np.array([skill_key(s) for s in skills], np.uint64)
    rows = _plain(asked_rows(offered, 0, model.vocabulary))
    items = model.vocabulary.item_rows(rows.item_key)
    usual, n_usual = _usual(skills, keys, model)
    taught = [[number[s] for s in ss] for _, ss in offered]
    teaching: list[list[int]] = [[] for _ in skills]
    for row, own in enumerate(taught):
        for k in own:
            teaching[k].append(row)
    formats = tuple(r.format if r else "" for r in resources)
    names = tuple(sorted(set(formats)))
    minutes = np.array([np.nan if r is None or r.minutes is None else r.minutes for r in resources], np.float64)
    timed = np.append(model.vocabulary.timed, False)[items]
    ends = len(resources) + np.concatenate([[0], np.cumsum(n_usual)])
    return Menu(
        asked=AskedRows(stacked([rows, usual])),
        skills=skills,
        number=number,
        skill_keys=keys,
        usual=spans_of([range(a, b) for a, b in pairwise(ends.tolist())]),
        taught=spans_of(taught),
        needed=spans_of([sorted({number[p] for p in needed.get(skill, ())}) for skill in skills]),
        teaching=spans_of(teaching),
        minutes=minutes,
        usual_minutes=usual_minutes(minutes),
        log_minutes=np.log(usual_minutes(minutes)),
        timed=timed,
        formats=formats,
        format_names=names,
        format_index=np.array([names.index(name) for name in formats], np.int64),
        answerable=_answerable(resources, items, model),
        tells_minutes=timed | ~np.isnan(minutes),
        by_key={key: k for k, key in enumerate(keys.tolist())},
    )


@dataclass(frozen=True, slots=True)
class Known:
    """What a state says of some rows of a menu, `(n,)` each, and of some skills, `(n_skills,)` over the whole menu.

    `p` of success, what each `takes`, `own` facts `(n, 5)`. NaN where a skill was not asked about: `mastery`,
    P(success on its usual items), `known`, P(it is known) by answers and model together, `against`, what
    its answers say against its being within reach (`Tracing.heard`), `information` of its answers, `facts`
    `(n_skills, 4)`.
    """

    rows: Ints
    p: Floats
    takes: Minutes
    own: NDArray[np.float32]
    mastery: Floats
    known: Floats
    against: Floats
    information: Floats
    facts: NDArray[np.float32]

    @property
    def minutes(self) -> Floats:
        """The minutes expected of all rows: `(n,)`."""
        return self.takes.of_all()


def known_of(menu: Menu, rows: Ints, skills: Ints, *, state: LearnerState, model: LearnerModel, now_us: int) -> Known:
    """What a learner's state says now of these rows and skills of the menu."""
    n, skills = len(rows), np.ascontiguousarray(skills, np.int64)
    asked = np.concatenate([rows, menu.usual.gathered(skills)[1]])
    seen, more = _asked(menu, asked, state, model, now_us)
    p = model.p_success(seen, menu.asked.rows.item_row[asked])
    (mastery, known, against, information), facts = _of_skills(
        menu, skills, (p[n:], more[n:]), state=state, law=model.tracing
    )
    takes = Minutes(menu.usual_minutes[rows] * pace_of(state), menu.timed[rows], seen[:n], model)
    own = np.ascontiguousarray(more[:n, len(SKILL_COLUMNS) :])
    return Known(rows, p[:n], takes, own, mastery, known, against, information, facts)


def _of_skills(
    menu: Menu, skills: Ints, usual: tuple[Floats, NDArray[np.float32]], *, state: LearnerState, law: Tracing
) -> tuple[Floats, NDArray[np.float32]]:
    """What is known of skills by chances and facts of their usual items, one skill after the other, and by a state.

    `(4, n_skills)`, the parts of `Known` that are numbers, and facts `(n_skills, 4)`; NaN where nothing was asked.

    Raises:
        MemoryError: the machine has none left.
    """
    told = np.full((4, len(menu.skills)), np.nan)
    facts = np.full((len(menu.skills), len(SKILL_COLUMNS)), np.nan, np.float32)
    loaded, (p, more) = library(), usual
    if loaded is None and len(skills):
        lengths = menu.usual.lengths[skills]
        first = np.cumsum(lengths) - lengths
        told[0, skills] = np.add.reduceat(p, first) / lengths
        n_events, keys = int(state.whole["n_events"][0]), menu.skill_keys[skills]
        told[1:3, skills] = law.of_state(keys, state.blocks, told[0, skills], n_events=n_events)
        found = dict(zip(state.blocks["key"].tolist(), state.blocks["info"].tolist(), strict=True))
        told[3, skills] = [found.get(key, 0.0) for key in keys.tolist()]
        facts[skills] = more[first, : len(SKILL_COLUMNS)]
    elif len(skills):
        failed = loaded.skills_known(
            law.at, address(menu.skill_keys), address(menu.usual.ptr), address(skills), len(skills), len(menu.skills),
            address(p), address(more), more.shape[1], address(state.blocks), len(state.blocks),
            int(state.whole["n_events"][0]), address(told), address(facts),
        )  # fmt: skip
        if failed:
            raise MemoryError("not enough memory to say which skills are known")
    return told, facts


def expected(
    menu: Menu, asked: Sequence[tuple[Ints, LearnerState, int]], *, model: LearnerModel
) -> tuple[Floats, Floats]:
    """Chance of success and minutes of rows of the menu, for each of several states at its moment, one after the other.

    `(n,)` both, of all rows together; minutes are NaN where neither the log nor the catalogue says any.
    """
    rows = _one_after_the_other([of for of, _, _ in asked])
    seen = _one_after_the_other([_asked(menu, of, state, model, now_us)[0] for of, state, now_us in asked])
    timed = menu.timed[rows]
    if False not in timed.tolist():
        minutes = np.exp(model.log_seconds(seen)) / 60.0
    else:
        minutes = np.where(menu.tells_minutes[rows], menu.usual_minutes[rows], np.nan)
        minutes *= np.repeat([pace_of(state) for _, state, _ in asked], [len(of) for of, _, _ in asked])
        if timed.any():
            minutes[timed] = np.exp(model.log_seconds(seen[timed])) / 60.0
    return model.p_success(seen, menu.asked.rows.item_row[rows]), minutes


def minutes_expected(menu: Menu, rows: Ints, *, state: LearnerState, model: LearnerModel, now_us: int) -> Floats:
    """Minutes of rows of the menu for a state at a moment, as `expected` says them: `(n,)`, NaN where nobody says any.

    Chances, which cost as much, are not asked for.
    """
    seen, _ = _asked(menu, rows, state, model, now_us)
    usual = np.where(menu.tells_minutes[rows], menu.usual_minutes[rows], np.nan) * pace_of(state)
    return Minutes(usual, menu.timed[rows], seen, model).of_all()


def chances_expected(menu: Menu, rows: Ints, *, state: LearnerState, model: LearnerModel, now_us: int) -> Floats:
    """Chance of success on rows of the menu for a state at a moment, as `expected` says it: `(n,)`."""
    seen, _ = _asked(menu, rows, state, model, now_us)
    return model.p_success(seen, menu.asked.rows.item_row[rows])


def _one_after_the_other(parts: Sequence[NDArray[Number]]) -> NDArray[Number]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def usual_time(
    menu: Menu, skills: Ints, *, state: LearnerState, model: LearnerModel, now_us: int
) -> tuple[Floats, Floats]:
    """Minutes of a usual item of each of these skills, and the spread of their log: `(n,)` both.

    Where the log knows no time of a skill's items, minutes are what a resource usually takes, at the learner's pace.
    """
    if not len(skills):
        return np.zeros(0), np.zeros(0)
    asked, lengths = menu.usual.gathered(skills)[1], menu.usual.lengths[skills]
    seen, _ = _asked(menu, asked, state, model, now_us)
    items = menu.asked.rows.item_row[asked]
    said = model.outlook(seen, items)
    first = np.cumsum(lengths) - lengths
    mean, sd = (np.add.reduceat(of, first) / lengths for of in (said.log_seconds_mean, said.log_seconds_sd))
    timed = np.logical_or.reduceat(np.append(model.vocabulary.timed, False)[items], first)
    return np.where(timed, np.exp(mean) / 60.0, USUAL_MINUTES * pace_of(state)), sd


def _asked(
    menu: Menu, which: Ints, state: LearnerState, model: LearnerModel, now_us: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return ask(
        model.prepared, menu.asked, which, minutes_of(now_us),
        whole=state.whole, blocks=state.blocks, columns=model.columns, more=_MORE,
    )  # fmt: skip


def _usual(skills: Sequence[str], keys: NDArray[np.uint64], model: LearnerModel) -> tuple[Rows, Ints]:
    """The usual items of each skill as if nobody had ever met them, and how many each skill has."""
    items, of_skill = usual_items(keys, model)
    rows = _plain(asked_rows([("", (skills[k],)) for k in of_skill], 0, model.vocabulary))
    rows = replace(rows, item_row=items, item_key=np.full(len(items), NEVER_MET, np.uint64))
    return rows, np.bincount(of_skill, minlength=len(skills)).astype(np.int64)


def _answerable(
    resources: Sequence[Resource | None], items: NDArray[np.int32], model: LearnerModel
) -> NDArray[np.bool_]:
    told = np.append(model.vocabulary.answered, 0)[items]
    silent = np.array([r is not None and r.format in model.silent_formats for r in resources], bool)
    return np.where(told == 0, ~silent, told > 0)


def _plain(rows: Rows | PackedRows) -> Rows:
    return rows.arrays() if isinstance(rows, PackedRows) else rows
