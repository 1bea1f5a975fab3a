"""The graph of skills and what must be known before what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """One thing to master, and the skills needed before it."""

    skill_id: str
    title: str
    prerequisites: tuple[str, ...] = ()
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class GraphReport:
    """What had to be mended: each cycle as its path, the edge dropped to break it, and edges to unknown skills.

    Edges read (prerequisite, skill).
    """

    cycles: tuple[tuple[str, ...], ...]
    dropped: tuple[tuple[str, str], ...]
    dangling: tuple[tuple[str, str], ...]


def mended(prerequisites: Mapping[str, Sequence[str]]) -> tuple[dict[str, tuple[str, ...]], GraphReport]:
    """The graph without dangling edges and cycles, and the report of what was taken out.

    Skills and prerequisites are walked in the order of their ids, depth first; the edge that closes a cycle is the
    one dropped, so the same graph always loses the same edges, in whatever order it arrived.
    """
    known = set(prerequisites)
    dangling = tuple(sorted((p, s) for s, ps in prerequisites.items() for p in set(ps) if p not in known))
    graph = {s: sorted({p for p in prerequisites[s] if p in known}) for s in sorted(known)}
    cycles: list[tuple[str, ...]] = []
    dropped: list[tuple[str, str]] = []
    done: set[str] = set()
    for root in graph:
        _walk(root, graph, done, cycles, dropped)
    gone = set(dropped)
    kept = {s: tuple(p for p in ps if (p, s) not in gone) for s, ps in graph.items()}
    return kept, GraphReport(tuple(cycles), tuple(dropped), dangling)


def _walk(
    root: str,
    graph: Mapping[str, list[str]],
    done: set[str],
    cycles: list[tuple[str, ...]],
    dropped: list[tuple[str, str]],
) -> None:
    """Depth first from `root` with an own stack: real graphs are deeper than Python's recursion limit."""
    if root in done:
        return
    path = [root]
    on_path = {root: 0}
    ahead = [iter(graph[root])]
    while path:
        skill = path[-1]
        step = next(ahead[-1], None)
        if step is None:
            done.add(skill)
            path.pop()
            ahead.pop()
            del on_path[skill]
        elif step in on_path:
            cycles.append((*path[on_path[step] :], step))
            dropped.append((step, skill))
        elif step not in done:
            on_path[step] = len(path)
            path.append(step)
            ahead.append(iter(graph[step]))
