"""A roster, its specification and past groups as files; groups and their report as files."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.collaborators.proposals import Proposal
    from engine.collaborators.roster import Roster
    from engine.collaborators.spec import Met, Rule, Spec

_SEPARATORS = (",", ";", "\t")


def roster_at(path: Path) -> "Roster":
    """The roster of a CSV.

    Raises:
        BadInput: it cannot be read, or lacks what a roster needs.
    """
    from engine.collaborators.roster import roster_of

    header, *rows = _cells(path, "the roster") or [[]]
    return roster_of(header, rows)


def spec_at(path: Path, also: "Callable[[Rule], Sequence[str]]") -> tuple["Spec", list[Path]]:
    """The specification of a YAML or JSON file, and the files it names, which are looked for beside it.

    `also` finds further mistakes in its rules.

    Raises:
        BadInput: it cannot be read, or something in it is not understood.
    """
    import yaml

    from engine.collaborators.spec import spec_of
    from engine.domain.errors import BadInput

    try:
        # Texts only: `007` stays an id, and `y`, `no` and `on` stay what they are in the roster.
        told = yaml.load(_text(path, "the specification"), Loader=yaml.BaseLoader)  # noqa: S506 - builds no objects
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise BadInput(f"{path} is not YAML{line}: write `size: 4`, then `rules:` and one rule a line") from None
    read = list[Path]()

    def past_of(name: str) -> "Sequence[Met]":
        read.append(path.parent / name)
        return _past_at(read[-1])

    return spec_of(told, past_of, also), read


def _past_at(path: Path) -> "Sequence[Met]":
    from engine.collaborators.spec import met_in
    from engine.domain.errors import BadInput

    header, *rows = _cells(path, "the file of past groups") or [[]]
    names = [name.strip() for name in header]
    if missing := [name for name in ("learner_id", "group") if name not in names]:
        raise BadInput(f"{path} has no column {missing[0]}: it needs learner_id, group and round")
    return met_in((dict(zip(names, row, strict=False)) for row in rows if any(c.strip() for c in row)), path.name)


def _cells(path: Path, what: str) -> list[list[str]]:
    """The cells of a CSV with commas, semicolons or tabs, with or without a byte order mark."""
    from engine.domain.errors import BadInput

    lines = _text(path, what).splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    try:
        return [row for row in csv.reader(lines, delimiter=separator, strict=True) if row]
    except csv.Error:
        raise BadInput(f"{path} cannot be read as CSV: check its quotes, or save it again as CSV") from None


def _text(path: Path, what: str) -> str:
    from engine.domain.errors import BadInput

    if not path.is_file():
        raise BadInput(f"{path} does not exist: give the path of {what}")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8: save {what} again as UTF-8") from None


def out_of(path: Path, place: int) -> Path:
    """Where the proposal at a place goes: the first where it was asked for, others with their number in the name."""
    return path if not place else path.with_name(f"{path.stem}.{place + 1}{path.suffix}")


def check_apart(reads: Mapping[str, Path], writes: Mapping[str, Path]) -> None:
    """Nothing that is written takes the place of what is read, nor of something else that is written.

    Raises:
        BadInput: two names of one file, or a folder where a file is to be.
    """
    from engine.domain.errors import BadInput

    taken = {path.resolve(): name for name, path in reads.items()}
    for name, path in writes.items():
        if path.is_dir():
            raise BadInput(f"{name} is a folder ({path}): give the path of a file in it")
        there = next((other for at, other in taken.items() if _same(at, path.resolve())), None)
        if there is not None:
            raise BadInput(f"{name} would overwrite {there} ({path}): give it another path")
        taken[path.resolve()] = name


def _same(one: Path, other: Path) -> bool:
    return one == other or (one.exists() and other.exists() and one.samefile(other))


def left_beside(out: Path, n_proposals: int) -> list[str]:
    """A note on files that an earlier run wrote as further proposals, and this one with so many did not."""
    numbers = ((path.name.removeprefix(f"{out.stem}.").removesuffix(out.suffix), path) for path in out.parent.iterdir())
    found = [(int(number), path) for number, path in numbers if number.isdecimal() and len(number) < 4]
    # The name made of the number is held against the file's own, which may only look like one.
    older = [path.name for number, path in sorted(found) if number > n_proposals and path == out_of(out, number - 1)]
    are = "is" if len(older) == 1 else "are"
    return [f"{', '.join(older)} {are} of an earlier run, not of this one: remove what is not needed"] if older else []


def left_as_it_was(paths: Sequence[Path]) -> str:
    """Which of these files of an earlier run still lie there, to be said where nothing new was written."""
    older = [str(path) for path in paths if path.exists()]
    if not older:
        return ""
    return f"; {older[0]} was left as it was" if len(older) == 1 else f"; {', '.join(older)} were left as they were"


def write_groups(roster: "Roster", proposal: "Proposal", out: Path) -> None:
    """Each learner and the number of their group, by group."""
    order = sorted(range(len(roster)), key=lambda i: (int(proposal.groups[i]), i))
    lines = ((roster.learner_ids[i], str(int(proposal.groups[i]) + 1)) for i in order)
    _replaced(out, _csv_lines([("learner_id", "group"), *lines]))


def write_report(told: dict[str, Any], out: Path) -> None:
    """A report as JSON."""
    _replaced(out, [json.dumps(told, indent=1, ensure_ascii=False) + "\n"])


def _csv_lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    class Line:
        """What a CSV writer writes to, to get the line back."""

        def write(self, text: str) -> str:
            return text

    writer = csv.writer(Line(), lineterminator="\n")
    return (str(writer.writerow(row)) for row in rows)


def _replaced(out: Path, pieces: "Sequence[str] | Iterator[str]") -> None:
    # Aside first, then in its place, so that nobody reads half a file.
    aside = out.with_name(f".{out.name}.incoming")
    aside.write_text("".join(pieces), encoding="utf-8")
    aside.replace(out)
