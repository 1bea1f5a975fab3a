"""`trailmate groups`: a class put into groups by a teacher's rules."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trailmate.cli.progress import progress_bar, say

if TYPE_CHECKING:
    from engine.collaborators.conflict import Conflict
    from engine.collaborators.proposals import Grouping
    from engine.collaborators.roster import Roster
    from engine.collaborators.spec import Spec

# In a file or a pipe no column is broken.
_WIDTH = 160


def groups(  # noqa: PLR0913 - one argument for each option of the command
    roster: Annotated[Path, typer.Argument(help="A CSV with learner_id and any columns; an empty cell is unknown.")],
    spec: Annotated[Path, typer.Option(help="The size and the rules, in YAML; docs/groups.md tells how.")],
    out: Annotated[Path, typer.Option(help="Where the groups go: a CSV of learner_id and group.")],
    report: Annotated[Path | None, typer.Option(help="Where to write how each rule fares, as JSON.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Another seed, other groups as good.")] = 0,
    seconds: Annotated[float, typer.Option(min=0.01, max=86_400, help="How long it may search at most.")] = 10.0,
    proposals: Annotated[int, typer.Option(min=1, max=50, help="How many different groupings to choose from.")] = 1,
    picture: Annotated[Path | None, typer.Option(help="Draw group means and broken rules into this PNG.")] = None,
    allow_absent: Annotated[
        bool, typer.Option("--allow-absent", help="Leave ids in rules that the roster lacks out, instead of refusing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Put a class into groups: hard rules hold, soft ones are broken as little as can be found.

    Where hard rules cannot all hold, nothing is grouped: the report says which, and the exit code is 1.

    Example: trailmate groups roster.csv --spec spec.yaml --out groups.csv --report report.json
    """
    from engine.collaborators.conflict import Conflict
    from engine.collaborators.propose import Effort
    from engine.collaborators.telling import notes_on, told
    from engine.domain.errors import Unavailable
    from trailmate.cli.group_files import left_as_it_was, left_beside, out_of, write_groups, write_report

    writes = _written({"--out": out, "--report": report, "--picture": picture})
    writes |= {f"proposal {place + 1} of --out": out_of(out, place) for place in range(1, proposals)}
    people, asked, notes = _read(roster, spec, writes, allow_absent=allow_absent)
    effort = Effort(seed=seed, seconds=seconds, n_proposals=proposals)
    left = left_as_it_was([out_of(out, place) for place in range(proposals)] + ([picture] if picture else []))
    try:
        found = _proposed(people, asked, effort)
    except Unavailable as nothing:
        raise Unavailable(f"{nothing}{left}") from None
    if isinstance(found, Conflict):
        _refuse(found, asked, {"seed": seed, "notes": notes}, report, left, as_json=as_json)
    assert not isinstance(found, Conflict)
    notes += [*notes_on(found), *left_beside(out, len(found.proposals))]
    result = {**told(people, found), "notes": notes}
    for place, proposal in enumerate(found.proposals):
        write_groups(people, proposal, out_of(out, place))
    if report is not None:
        write_report(result, report)
    if picture is not None:
        from trailmate.cli.group_picture import draw_groups

        draw_groups(found.proposals[0], picture)
    say(result, as_json=as_json, text="" if as_json else _in_words(result, out))


def _written(named: dict[str, Path | None]) -> dict[str, Path]:
    """The files that are asked for, by their options; raises BadParameter where one would go into no folder."""
    writes = {name: path for name, path in named.items() if path is not None}
    for name, path in writes.items():
        if not path.parent.is_dir():
            raise typer.BadParameter(f"{path.parent} is not a folder: make it first", param_hint=name)
    return writes


def _read(roster: Path, spec: Path, writes: dict[str, Path], *, allow_absent: bool) -> "tuple[Roster, Spec, list[str]]":
    """The class, what is asked and notes on it, once it is known that nothing read will be written over."""
    from functools import partial

    from engine.collaborators.checking import Words, checked, mistakes_in
    from trailmate.cli.group_files import check_apart, roster_at, spec_at

    reads = {"the roster": roster, "the specification": spec}
    check_apart(reads, writes)
    people, words = roster_at(roster), Words(named=True)
    wanted, past = spec_at(spec, partial(mistakes_in, people, allow_absent=allow_absent, words=words))
    check_apart({f"{path.name}, which the specification reads": path for path in past}, writes)
    # Their own files: whoever runs this may see the ids in them.
    return people, *checked(people, wanted, allow_absent=allow_absent, words=words)


def _proposed(roster: "Roster", spec: "Spec", effort: Any) -> "Grouping | Conflict":
    import time

    from engine.collaborators.propose import propose

    with progress_bar() as shown:
        return propose(roster, spec, effort, clock=time.perf_counter, report=shown)


def _refuse(
    conflict: "Conflict", spec: "Spec", about: dict[str, Any], report: Path | None, left: str, *, as_json: bool
) -> None:
    """Say which rules cannot all hold, and which files were left as they were, and end with 1."""
    from engine.collaborators.telling import sentence_on, told_of
    from trailmate.cli.group_files import write_report

    result = {**told_of(conflict, spec), **about}
    if report is not None:
        write_report(result, report)
    shown = {"conflict": result["conflict"]} | ({} if conflict.proved else {"irreducible": False})
    say(result, as_json=as_json, text="" if as_json else json.dumps(shown))
    sys.stderr.write(f"trailmate: {sentence_on(conflict, spec)}{left}\n")
    raise typer.Exit(1)


def _in_words(result: dict[str, Any], out: Path) -> str:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "rule", "by", "strength", "weight", "broken", "in groups", "spread of means")
    for rule in result["rules"]:
        where = [str(g) for g, broken in enumerate(rule["by_group"], start=1) if broken]
        table.add_row(
            str(rule["index"]), rule["verb"], _listed(rule.get("by", "")), rule["strength"], f"{rule['weight']:g}",
            f"{rule['broken']} of {rule['of']}", " ".join(where[:12]) + (" …" if len(where) > 12 else ""),
            "" if rule.get("spread") is None else f"{rule['spread']:.3g}",
        )  # fmt: skip
    sizes = [len(group["learners"]) for group in result["groups"]]
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, no_color=True)
    with console.capture() as captured:
        if result["rules"]:
            console.print(table)
    many = "1 group" if len(sizes) == 1 else f"{len(sizes)} groups"
    best = "the best there is" if result["proved_best"] else f"none has less than {result['bound']:.3g}"
    lines = [
        captured.get().rstrip(),
        *(f"Note: {note}" for note in result["notes"]),
        f"{many} of {_range(min(sizes), max(sizes))}, weighted breaks {result['broken']:g}; "
        f"objective {result['objective']:.4g}, {best}; {result['seconds']:.1f} s. Written to {out}"
        + (f", with {len(result['proposals'])} more beside it." if result["proposals"] else "."),
    ]
    return "\n".join(line for line in lines if line)


def _listed(by: str | list[str]) -> str:
    return by if isinstance(by, str) else ", ".join(by)


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"
