"""Why there is nothing to show, or nothing for the goal: one sentence with the next step, worked out only then."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.decision import Request
from engine.domain.query import Query
from engine.ranking.again import Again
from engine.ranking.candidates import candidates_of
from engine.ranking.learning import Learning
from engine.ranking.worth import MASTERED

EMPTY = "The catalogue is empty: send resources with PUT /v1/resources."
NOT_NOW = "Nothing on offer is available at this moment: check available_from and available_until of the resources."
NAMED_NONE = "candidates names nothing: name resources in it, or leave it out."
NAMED_UNKNOWN = "None of the candidates named is on offer: check their ids, or send them with PUT /v1/resources."
GOAL_UNTAUGHT = "Nothing on offer teaches the skills of this goal: send resources that do with PUT /v1/resources."
GOAL_MASTERED = "The skills of this goal are mastered: it is time for another goal."
# What may stand in the way, the easiest to change first; `{goal}` is empty or says that it is asked for a goal.
IN_THE_WAY = {
    "exclude": "Everything left to show{goal} is excluded by the request: exclude less.",
    "formats": "Nothing left to show{goal} is in these formats: ask for others, or leave formats out.",
    "minutes": "Nothing left to show{goal} fits into these minutes: allow more, or leave minutes out.",
    "seen": "Everything on offer{goal} was done before: name in candidates what is to be repeated, or add resources "
    "with PUT /v1/resources.",
    "needs": "Nothing left to show{goal} meets the access needs of this learner: offer resources that do, and name the "
    "needs they meet in access.",
    "languages": "Nothing left to show{goal} is in a language of this learner: offer resources that are, or mend "
    "languages.",
    "candidates": "None of the candidates named can be shown{goal}: name others, or leave candidates out.",
}
_CALLED = {
    "exclude": "exclude", "formats": "formats", "minutes": "minutes", "seen": "new to the learner",
    "needs": "access needs", "languages": "languages", "candidates": "candidates",
}  # fmt: skip
_OF_GOAL = " for the skills of this goal"

Rows = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Shop:
    """What is on offer: the catalogue, the rows that teach each skill, and the names of skills."""

    catalogue: Catalogue
    skill_rows: Mapping[str, NDArray[np.int32]]
    titles: Mapping[str, str]


def why_nothing(request: Request, query: Query, shop: Shop) -> str:
    """Why no resource at all can be shown to this learner now."""
    resources = shop.catalogue.resources
    if not any(resources):
        return EMPTY
    if request.candidates is not None:
        if not request.candidates:
            return NAMED_NONE
        rows = shop.catalogue.resource_map.rows(request.candidates)
        if all(row < 0 or resources[row] is None for row in rows.tolist()):
            return NAMED_UNKNOWN
    if not shop.catalogue.available(query.now_us).any():
        return NOT_NOW
    return _in_the_way(request, query, shop.catalogue, None)


def why_no_gain(
    request: Request, query: Query, learning: Learning, *, goal: Iterable[str], again: Again, shop: Shop
) -> str | None:
    """Why nothing here is worth something new for the goal; None where something is, or no goal was named."""
    skills = tuple(goal)
    if not skills:
        return None
    rows = _offered(skills, shop)
    if not learning.has_goal or not len(rows):
        return GOAL_UNTAUGHT
    if (learning.known.mastery[learning.aims] >= MASTERED).all():
        return GOAL_MASTERED
    if again.spent:
        spent = [shop.titles.get(s, s) for s in again.spent]
        return (
            f"There is nothing new on offer for {_listed(spent)}: what was done least lately is offered again. "
            "Add resources with PUT /v1/resources."
        )
    if float(learning.worth.rate.max(initial=0.0)) > 0:
        return None
    return _in_the_way(request, query, shop.catalogue, rows)


def _offered(skills: Iterable[str], shop: Shop) -> Rows:
    """Rows on offer that teach any of these skills, ascending."""
    found = [shop.skill_rows[s] for s in skills if s in shop.skill_rows]
    rows = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    return np.array([r for r in rows.tolist() if shop.catalogue.resources[r] is not None], np.int32)


def _in_the_way(request: Request, query: Query, catalogue: Catalogue, rows: Rows | None) -> str:
    """The one condition without which something could be shown, of `rows` alone where given; else all that hold."""

    def shown(one: Request, of: Query, welcome: NDArray[np.int64] | None = None) -> bool:
        found = candidates_of(one, of, catalogue, welcome=welcome)
        return bool(len(found) if rows is None else np.isin(found, rows).any())

    without: dict[str, Callable[[], bool]] = {}
    if request.exclude:
        without["exclude"] = lambda: shown(replace(request, exclude=()), query)
    if request.formats is not None:
        without["formats"] = lambda: shown(replace(request, formats=None), query)
    if request.minutes is not None:
        without["minutes"] = lambda: shown(replace(request, minutes=None), query)
    if request.candidates is None and len(query.history.seen):
        without["seen"] = lambda: shown(request, query, query.history.seen.astype(np.int64))
    if query.access_needs:
        without["needs"] = lambda: shown(request, replace(query, access_needs=()))
    if query.languages:
        without["languages"] = lambda: shown(request, replace(query, languages=()))
    if request.candidates is not None:
        without["candidates"] = lambda: shown(replace(request, candidates=None), query)
    goal = "" if rows is None else _OF_GOAL
    alone = next((name for name, helps in without.items() if helps()), None)
    if alone is not None:
        return IN_THE_WAY[alone].format(goal=goal)
    if not without:
        return NOT_NOW
    named = _listed([_CALLED[name] for name in without])
    return f"Nothing on offer{goal} meets all of this at once ({named}): loosen some of it."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
