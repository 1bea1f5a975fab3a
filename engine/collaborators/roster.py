"""A class to be put into groups: ids and columns of text, where nothing means unknown."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import BadInput

ID = "learner_id"


@dataclass(frozen=True, slots=True)
class Roster:
    """The learners of a class in order, and what each column says of them; `""` is unknown."""

    learner_ids: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many learners."""
        return len(self.learner_ids)

    def rows(self) -> dict[str, int]:
        """The row of each learner."""
        return {learner_id: i for i, learner_id in enumerate(self.learner_ids)}


def roster_of(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Roster:
    """The roster of a table of text; rows without anything in them are left out, short ones end in unknowns.

    Raises:
        BadInput: no column `learner_id`, a column twice, a row without an id or with one too many cells, an id twice.
    """
    names = [name.strip() for name in header]
    if ID not in names:
        raise BadInput(f"the roster has no column {ID}: name the column of ids so in its first line")
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise BadInput(f"the roster has the column {twice[0]} twice: rename or remove one of them")
    kept, first_at = [], dict[str, int]()
    for number, row in enumerate(rows, start=2):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if any(cells[len(names) :]):
            raise BadInput(f"line {number} of the roster has more cells than the first: put quotes around commas")
        cells = [*cells[: len(names)], *[""] * (len(names) - len(cells))]
        learner_id = cells[names.index(ID)]
        if not learner_id:
            raise BadInput(f"line {number} of the roster has no {ID}: fill it in or remove the line")
        if learner_id in first_at:
            raise BadInput(f"lines {first_at[learner_id]} and {number} of the roster have one {ID}: keep one of them")
        first_at[learner_id] = number
        kept.append(cells)
    if not kept:
        raise BadInput("the roster has no learners: give each a line below the names of the columns")
    columns = {name: tuple(row[at] for row in kept) for at, name in enumerate(names) if name and name != ID}
    return Roster(tuple(first_at), columns)


def numbers_of(roster: Roster, column: str) -> NDArray[np.float64]:
    """A column as numbers, `(n_learners,)`, NaN where unknown; a decimal comma is understood.

    Raises:
        BadInput: a cell that is no number.
    """
    found, wrong = numbers_in(roster, column)
    if wrong:
        raise BadInput(
            f"learner {wrong[0] + 1} of the roster has no number in the column {column}: "
            "write one, or leave it empty if it is not known"
        )
    return found


def numbers_in(roster: Roster, column: str) -> tuple[NDArray[np.float64], list[int]]:
    """A column as numbers, `(n_learners,)`, NaN where unknown or no number, and the rows that hold no number."""
    found, wrong = np.full(len(roster), np.nan), []
    for i, text in enumerate(roster.columns[column]):
        if not text:
            continue
        try:
            found[i] = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
        except ValueError:
            wrong.append(i)
            continue
        if not math.isfinite(found[i]):
            wrong.append(i)
            found[i] = np.nan
    return found, wrong


def listed_in(text: str) -> list[str]:
    """The entries of a cell; several are parted by `;`."""
    return [entry for entry in (part.strip() for part in text.split(";")) if entry]
