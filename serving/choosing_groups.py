"""Groups as a teacher sends them: read, held against what is known here, and what to say of them."""

from datetime import datetime

from engine.collaborators.breaches import Breach, breaches_of
from engine.collaborators.roster import ID
from engine.domain.errors import BadInput
from engine.domain.grouping import Group, Grouping, group_ids_of
from engine.rules.people import People
from serving.auth import may_name_rules
from serving.crowds import Gathered, numbers_of
from serving.errors import UnknownName
from serving.known_names import knows_resource
from serving.schemas_together import GroupingIn
from serving.storage.port import Key
from serving.wire import utc, valid_id

# So many places are told; who sent more has the same slip in all of them.
_MOST_TOLD = 20


def grouping_in(grouping_id: str, given: GroupingIn, *, now: datetime) -> Grouping:
    """The grouping as it is kept; raises BadInput where a learner stands in two groups, or two groups have one name."""
    groups = tuple(
        Group(
            learner_ids=tuple(valid_id(x, ID) for x in g.learner_ids),
            group_id=None if g.group_id is None else valid_id(g.group_id, "group_id"),
            resource_id=None if g.resource_id is None else valid_id(g.resource_id, "resource_id"),
            title=g.title,
        )
        for g in given.groups
    )
    placed = [x for g in groups for x in g.learner_ids]
    if len(placed) != len(set(placed)):
        raise BadInput("a learner stands in two groups of this grouping, or twice in one; leave them in one")
    grouping = Grouping(
        grouping_id=valid_id(grouping_id, "grouping_id"),
        class_id=valid_id(given.class_id, "class_id"),
        at=utc(given.at) or now,
        groups=groups,
        mode=given.mode,
        proposed=tuple(tuple(str(x) for x in group) for group in given.proposed),
    )
    names = [valid_id(x, "group_id") for x in group_ids_of(grouping)]
    if len(names) != len(set(names)):
        raise BadInput("two groups of this grouping have one group_id; give each its own, or leave it out")
    return grouping


def require_known(grouping: Grouping, gathered: Gathered) -> None:
    """Raise UnknownName where the groups name somebody who is not in the class, or a resource nobody told of.

    It tells every place at once, and nothing that stands there.
    """
    there = gathered.crowd.rows()
    lists = [(f"groups[{n}].learner_ids", g.learner_ids) for n, g in enumerate(grouping.groups)]
    lists += [(f"proposed[{n}]", ids) for n, ids in enumerate(grouping.proposed)]
    people = [f"{name}[{at}]" for name, ids in lists for at, x in enumerate(ids) if x not in there]
    things = [
        f"groups[{n}].resource_id"
        for n, g in enumerate(grouping.groups)
        if g.resource_id is not None and not knows_resource(g.resource_id, gathered.recommender)
    ]
    wrong = []
    if people:
        wrong.append(f"{_listed(people)} is nobody of this class: mend it, or tell of them with PUT /v1/learners")
    if things:
        wrong.append(
            f"{_listed(things)} names no resource of the catalogue: mend it, or send it with PUT /v1/resources"
        )
    if wrong:
        raise UnknownName("; ".join(wrong))


def notes_on(grouping: Grouping, gathered: Gathered, people: People, *, key: Key, now: datetime) -> list[str]:
    """What the teacher may want to look at: hard rules that do not hold, and who chose not to be matched.

    Which rules they are is for keys that may look at rules; why they were made is for nobody here.
    """
    rows, is_open = gathered.crowd.rows(), gathered.crowd.open_
    notes = [
        f"groups[{n}].learner_ids[{at}] chose not to be matched with others; they were kept where you put them"
        for n, g in enumerate(grouping.groups)
        for at, x in enumerate(g.learner_ids)
        if not is_open[rows[x]]
    ]
    found = breaches_of(grouping, people, numbers_of(gathered.groupings, now))
    return notes + list(dict.fromkeys(_note(one, may_name=may_name_rules(key)) for one in found))


def _note(one: Breach, *, may_name: bool) -> str:
    where = _listed([f"groups[{n}]" for n in one.groups])
    if not may_name:
        return f"a hard rule of the school does not hold in {where}; the groups were kept all the same"
    rules = _listed(one.rule_ids)
    return f"the hard rule {rules} ({one.verb}) does not hold in {where}; the groups were kept all the same"


def _listed(names: list[str] | tuple[str, ...]) -> str:
    shown = list(names[:_MOST_TOLD])
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
