"""What a teacher asks of the groups of a class: a size, and rules that must or should hold."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar

from engine.collaborators.mistakes import told_at_once
from engine.domain.errors import BadInput

_BY_LEARNERS = ("keep_apart", "keep_together", "lock")
_BY_COLUMN = ("balance", "distribute", "cluster", "no_one_alone", "at_least_one", "friends")
VERBS = (*_BY_LEARNERS, *_BY_COLUMN, "avoid_repeat")
_TAKES = {
    "keep_apart": {"learners"},
    "keep_together": {"learners"},
    "lock": {"learners", "group"},
    "balance": {"by", "tolerance"},
    "distribute": {"by", "value"},
    "cluster": {"by"},
    "no_one_alone": {"by", "value"},
    "at_least_one": {"by", "value"},
    "friends": {"by"},
    "avoid_repeat": {"file", "past"},
}
_ALWAYS = {"verb", "strength", "weight"}
_NEEDS = {"lock": {"learners", "group"}, "at_least_one": {"by", "value"}}
_PARTS = ("size", "rules")
_MOST_WEIGHT = 1e6
TOLERANCE = 0.5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Met:
    """One learner in one group of an earlier round."""

    round: str
    group: str
    learner_id: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a specification; `index` is its place there, from 0.

    `after`: soft, and all such rules together weigh less than the least of what the others want.
    """

    index: int
    verb: str
    hard: bool
    weight: float = 1.0
    learners: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    group: int = 0
    tolerance: float = TOLERANCE
    past: tuple[Met, ...] = ()
    after: bool = False

    @property
    def name(self) -> str:
        """How errors and reports call it."""
        return f"rules[{self.index}] ({self.verb})"


@dataclass(frozen=True, slots=True)
class Size:
    """`low` to `high` learners in each group; where `high` is None, ⌊n / low⌋ groups and leftovers one to each."""

    low: int
    high: int | None = None

    def __str__(self) -> str:
        """As it is written in a specification."""
        return str(self.low) if self.high is None else f"{self.low}-{self.high}"


@dataclass(frozen=True, slots=True)
class Layout:
    """So many groups, each with `low` to `high` learners."""

    n_groups: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Spec:
    """A size and its rules."""

    size: Size
    rules: tuple[Rule, ...] = ()


def layouts_of(size: Size, n: int) -> list[Layout]:
    """The numbers of groups a class of `n` may have, the one nearest to the middle of the sizes first."""
    if size.high is None:
        n_groups = max(n // size.low, 1)
        return [Layout(n_groups, n // n_groups, -(-n // n_groups))]
    counts = range(-(-n // size.high), n // size.low + 1)
    middle = (size.low + size.high) / 2
    return [Layout(k, size.low, size.high) for k in sorted(counts, key=lambda k: (abs(n / k - middle), k)) if k]


def spec_of(
    told: object,
    past_of: Callable[[str], Sequence[Met]] | None = None,
    also: Callable[[Rule], Sequence[str]] = lambda _rule: (),
) -> Spec:
    """A specification out of what a YAML or JSON file says; `past_of` reads the file an avoid_repeat names.

    `also` finds further mistakes in a rule that is understood, so that all are told in one round.

    Raises:
        BadInput: something is missing, unknown or of the wrong form, and what to write instead.
    """
    if not isinstance(told, Mapping):
        raise BadInput("the specification is not a mapping: begin it with `size: 4`, then `rules:`")
    mistakes = [
        f"the specification has {key}, which is not known: {_meant(key, _PARTS) or 'it takes size and rules'}"
        for key in sorted(str(key) for key in told if key not in _PARTS)
    ]
    size, rules = _tried(mistakes, lambda: _size(told)), told.get("rules") or ()
    if not isinstance(rules, Sequence) or isinstance(rules, str):
        mistakes.append("rules is not a list: write each as `- {verb: balance, by: gpa}`")
        rules = ()
    found = list[Rule]()
    for i, rule in enumerate(rules):
        read = _tried(mistakes, partial(_rule, i, rule, past_of))
        if read is not None:
            mistakes += also(read)
            found.append(read)
    if size is None or mistakes:
        raise BadInput(told_at_once(mistakes))
    return Spec(size, tuple(found))


def _tried(mistakes: list[str], read: Callable[[], T]) -> T | None:
    """What is read, or its mistake kept for later."""
    try:
        return read()
    except BadInput as mistake:
        mistakes.append(str(mistake))
        return None


def _meant(told: str, known: Iterable[str]) -> str:
    close = get_close_matches(told, sorted(known), 1)
    return f"did you mean {close[0]}?" if close else ""


def _size(told: Mapping[Any, Any]) -> Size:
    if "size" not in told:
        raise BadInput('the specification has no size: add `size: 4`, or `size: "3-5"`')
    found = re.fullmatch(r"\s*(\d{1,6})\s*(?:[-\u2013]\s*(\d{1,6})\s*)?", str(told["size"]))
    low, high = (int(found[1]), int(found[2]) if found[2] else None) if found else (0, None)
    if low < 1 or (high is not None and high < low):
        raise BadInput('size is not understood: write a whole number from 1 as 4, or a range as "3-5"')
    return Size(low, high)


def _rule(index: int, told: object, past_of: Callable[[str], Sequence[Met]] | None) -> Rule:
    verb = told.get("verb") if isinstance(told, Mapping) else None
    if not isinstance(told, Mapping) or verb not in VERBS:
        said = f" ({verb})" if isinstance(verb, str) and re.fullmatch(r"[A-Za-z_ -]{1,30}", verb) else ""
        meant = _meant(str(verb), VERBS) or f"write one of {', '.join(VERBS)}"
        raise BadInput(f"rules[{index}]{said} has no known verb: {meant}")
    verb, name = str(verb), f"rules[{index}] ({verb})"
    if unknown := sorted(str(key) for key in told if key not in _TAKES[verb] | _ALWAYS):
        takes = f"it takes {', '.join(sorted(_TAKES[verb] | _ALWAYS))}"
        raise BadInput(f"{name} does not take {unknown[0]}: {_meant(unknown[0], _TAKES[verb] | _ALWAYS) or takes}")
    needs = _NEEDS.get(verb, {"learners"} if verb in _BY_LEARNERS else {"by"} if verb in _BY_COLUMN else set())
    if missing := sorted(key for key in needs if not _texts(told.get(key), f"{name}: {key}")):
        raise BadInput(f"{name} has no {missing[0]}: add it")
    learners = tuple(dict.fromkeys(_texts(told.get("learners"), f"{name}: learners")))
    if verb in ("keep_apart", "keep_together") and len(learners) < 2:
        raise BadInput(f"{name} names fewer than two different learners: name at least two")
    by = tuple(dict.fromkeys(_texts(told.get("by"), f"{name}: by")))
    if len(by) > 1 and verb != "friends":
        raise BadInput(f"{name} names several columns: give each a rule of its own")
    return Rule(
        index=index,
        verb=verb,
        hard=_strength(told.get("strength"), verb, name),
        weight=_number(told.get("weight", 1), f"{name}: weight", _MOST_WEIGHT),
        learners=learners,
        by=by,
        values=tuple(dict.fromkeys(_texts(told.get("value"), f"{name}: value"))),
        group=_group(told.get("group"), name) if verb == "lock" else 0,
        tolerance=_number(told.get("tolerance", TOLERANCE), f"{name}: tolerance", _MOST_WEIGHT),
        past=_past(told, name, past_of) if verb == "avoid_repeat" else (),
    )


def _texts(told: object, name: str) -> list[str]:
    """One text or several; numbers are read as they are written."""
    if told is None or told == "":
        return []
    several = told if isinstance(told, list | tuple) else [told]
    if any(not isinstance(one, str | int | float) for one in several):
        raise BadInput(f"{name} is neither a text nor a list of texts: write it as [a, b]")
    if any(isinstance(one, bool) for one in several):
        raise BadInput(f"{name} was read as true or false: put quotes around it")
    return [text for text in (str(one).strip() for one in several) if text]


def _strength(told: object, verb: str, name: str) -> bool:
    if told is None:
        return verb in _BY_LEARNERS
    if told not in ("hard", "soft"):
        raise BadInput(f"{name} has a strength that is not known: write hard or soft")
    return told == "hard"


def _number(told: object, name: str, most: float) -> float:
    try:
        found = float(told) if isinstance(told, str | int | float) and not isinstance(told, bool) else -1.0
    except ValueError:
        found = -1.0
    if not 0 < found <= most:
        raise BadInput(f"{name} is not a number above 0, up to {most:g}: write one, as 1 or 2.5")
    return found


def _group(told: object, name: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,5}", str(told).strip()):
        raise BadInput(f"{name} has a group that is not a whole number from 1: write the number of a group")
    return int(str(told))


def _past(told: Mapping[Any, Any], name: str, past_of: Callable[[str], Sequence[Met]] | None) -> tuple[Met, ...]:
    if "past" in told:
        return met_in(told["past"], name)
    if not told.get("file") or past_of is None:
        raise BadInput(f"{name} has no file: name a CSV with learner_id, group and round")
    return tuple(past_of(str(told["file"])))


def met_in(rows: object, name: str) -> tuple[Met, ...]:
    """Who was in which group before, out of rows with learner_id, group and round; without a round there was one.

    Raises:
        BadInput: not rows, or one without a learner or a group.
    """
    if not isinstance(rows, Iterable) or isinstance(rows, str | bytes):
        raise BadInput(f"{name}: past is not a list: give rows with learner_id, group and round")
    found = []
    for number, row in enumerate(rows, start=1):
        cell = {key: str(row.get(key) or "").strip() for key in Met.__slots__} if isinstance(row, Mapping) else {}
        if not cell.get("learner_id") or not cell.get("group"):
            raise BadInput(f"{name}: row {number} lacks a learner_id or a group: fill it in or remove the row")
        found.append(Met(**cell))
    return tuple(found)
