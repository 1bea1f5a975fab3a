"""Why there is nothing to show, or nothing for the goal: one sentence with the next step, worked out only then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.decision import Request, Said
from engine.domain.query import Query
from engine.learner.menu import Menu
from engine.learner.tracing import MASTERED
from engine.ranking.candidates import candidates_of
from engine.ranking.in_time import InTime
from engine.ranking.learning import Learning

EMPTY = "The catalogue is empty: send resources with PUT /v1/resources."
NOT_NOW = "Nothing on offer is available at this moment: check available_from and available_until of the resources."
NAMED_NONE = "candidates names nothing: name resources in it, or leave it out."
NAMED_UNKNOWN = "None of the candidates named is on offer: check their ids, or send them with PUT /v1/resources."
GOAL_UNTAUGHT = "Nothing on offer teaches the skills of this goal: send resources that do with PUT /v1/resources."
GOAL_RULED_OUT = "Rules keep what is on offer for the skills of this goal from being shown: rules says which."
GOAL_MASTERED = (
    "The skills of this goal are mastered, so what is offered on them is practice: it is time for another goal."
)
NOTHING_NEW = (
    "There is nothing new on offer for {skills}: what was done least lately is offered again. Add resources with PUT "
    "/v1/resources."
)
NOTHING_NEW_AS_ASKED = (
    "Within what was asked for there is nothing new for {skills}: what was done least lately is offered again. "
    "Ask for more, or add resources with PUT /v1/resources."
)
ALL_OF_IT = "Nothing on offer{goal} meets all of this at once ({conditions}): loosen some of it."
RULED_OUT_CODE, MASTERED_CODE = "goal_ruled_out", "goal_mastered"
GOAL_OF_NOBODY = "An answer for nobody in particular aims at no goal: leave out non_personalised, or goal."
GOAL_IN_UPTAKE = "What is likeliest to be taken up aims at no goal: ask with objective learning, or leave out goal."
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

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Gained:
    """What a learner can gain for a goal: its skills, those on the way with nothing new left, and the names of skills.

    `again`: the rows shown that were done before and came back.
    """

    goal: tuple[str, ...]
    spent: tuple[str, ...]
    again: Ints
    learning: Learning
    menu: Menu
    titles: Mapping[str, str]


def why_no_aim(request: Request) -> Said | None:
    """Why the goal that a request names does not count; None where it does, or none is named."""
    if not request.goal:
        return None
    if request.non_personalised:
        return Said(code="goal_of_nobody", text=GOAL_OF_NOBODY)
    return None if request.objective == "learning" else Said(code="goal_in_uptake", text=GOAL_IN_UPTAKE)


def why_nothing(request: Request, query: Query, catalogue: Catalogue, *, limit: InTime | None = None) -> Said:
    """Why no resource at all can be shown to this learner now; `limit` is what fits into the minutes of the request."""
    resources = catalogue.resources
    if not any(resources):
        return Said(code="empty", text=EMPTY)
    if request.candidates is not None:
        if not request.candidates:
            return Said(code="named_none", text=NAMED_NONE)
        rows = catalogue.resource_map.rows(request.candidates)
        if all(row < 0 or resources[row] is None for row in rows.tolist()):
            return Said(code="named_unknown", text=NAMED_UNKNOWN)
    if not catalogue.available(query.now_us).any():
        return Said(code="not_now", text=NOT_NOW)
    return _in_the_way(request, query, catalogue, None, limit)


def _came_back(gained: Gained) -> tuple[str, ...]:
    """The skills with nothing new left of which something done before is shown."""
    if not gained.spent or not len(gained.again):
        return ()
    back = {gained.menu.skills[k] for k in gained.menu.pairs(gained.again)[1].tolist()}
    return tuple(s for s in gained.spent if s in back)


def why_no_gain(
    request: Request, query: Query, gained: Gained, catalogue: Catalogue, *, limit: InTime | None = None
) -> Said | None:
    """Why nothing here is worth something new for the goal; None where something is, or no goal was named."""
    if not gained.goal:
        return None
    menu, learning = gained.menu, gained.learning
    if not learning.has_goal or not menu.teaching.lengths[learning.aims].any():
        return Said(code="goal_untaught", text=GOAL_UNTAUGHT)
    if (learning.known.known[learning.aims] >= MASTERED).all():
        return Said(code=MASTERED_CODE, text=GOAL_MASTERED)
    if spent := _came_back(gained):
        names = tuple(gained.titles.get(s, s) for s in spent)
        asked_for_more = candidates_of(replace(request, formats=None, exclude=()), query, catalogue)
        is_new = asked_for_more[menu.teaching.gathered(np.array([menu.number[s] for s in spent]))[1]].any()
        facts: dict[str, str | float | tuple[str, ...]] = {"skill_ids": spent, "skills": names}
        if is_new:
            text = NOTHING_NEW_AS_ASKED.format(skills=_listed(names))
            return Said(code="nothing_new_as_asked", text=text, facts=facts)
        return Said(code="nothing_new", text=NOTHING_NEW.format(skills=_listed(names)), facts=facts)
    if float(learning.worth.rate.max(initial=0.0)) > 0:
        return None
    rows = np.unique(menu.teaching.gathered(learning.aims)[1])
    return _in_the_way(request, query, catalogue, rows, limit)


def _in_the_way(request: Request, query: Query, catalogue: Catalogue, rows: Ints | None, limit: InTime | None) -> Said:
    """The one condition without which something could be shown, of `rows` alone where given; else all that hold."""
    goal, of_what = ("", "anything") if rows is None else (_OF_GOAL, "goal")
    without = _without(request, query)
    for name, (one, of, welcome) in without.items():
        found = candidates_of(one, of, catalogue, welcome=welcome)
        left = found.nonzero()[0] if rows is None else rows[found[rows]]
        n_over = len(limit.over(left)) if limit is not None and one.minutes is not None else 0
        if len(left) > n_over:
            return Said(
                code="in_the_way", text=IN_THE_WAY[name].format(goal=goal), facts={"conditions": (name,), "of": of_what}
            )
    if not without:
        return Said(code="not_now", text=NOT_NOW)
    text = ALL_OF_IT.format(goal=goal, conditions=_listed([_CALLED[name] for name in without]))
    return Said(code="in_the_way", text=text, facts={"conditions": tuple(without), "of": of_what})


def _without(request: Request, query: Query) -> dict[str, tuple[Request, Query, Ints | None]]:
    """What was asked by whom, with one of the conditions that hold left out at a time, and what is welcome again."""
    seen = query.history.seen.astype(np.int64)
    named = request.candidates is not None
    asked: dict[str, tuple[bool, tuple[Request, Query, Ints | None]]] = {
        "exclude": (bool(request.exclude), (replace(request, exclude=()), query, None)),
        "formats": (request.formats is not None, (replace(request, formats=None), query, None)),
        "minutes": (request.minutes is not None, (replace(request, minutes=None), query, None)),
        "seen": (not named and len(seen) > 0, (request, query, seen)),
        "needs": (bool(query.access_needs), (request, replace(query, access_needs=()), None)),
        "languages": (bool(query.languages), (request, replace(query, languages=()), None)),
        "candidates": (named, (replace(request, candidates=None), query, None)),
    }
    return {name: one for name, (holds, one) in asked.items() if holds}


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
