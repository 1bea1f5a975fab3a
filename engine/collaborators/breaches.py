"""Which hard rules about people a grouping breaks, told as places: what to say of groups that a teacher chose."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.domain.grouping import Grouping, group_ids_of
from engine.rules.people import Company, Pair, People


@dataclass(frozen=True, slots=True)
class Breach:
    """A hard rule of this verb that does not hold in `groups`, numbers from 0, and the rules that say so."""

    verb: str
    groups: tuple[int, ...]
    rule_ids: tuple[str, ...]


def breaches_of(grouping: Grouping, people: People, numbers: Mapping[str, int]) -> list[Breach]:
    """The hard rules that these groups break; those who are in no group break none.

    `numbers`, from 1, are those of the groups there were, so that who is locked in one may be in the new one of its
    number.
    """
    sizes = [len(g.learner_ids) for g in grouping.groups]
    place = {x: n for n, g in enumerate(grouping.groups) for x in g.learner_ids}
    found = [*_parted_or_not(people.apart, people.together, place), *_moved(grouping, people, numbers, place)]
    for company in people.company:
        if company.hard and (lonely := _lonely(company, sizes, place)):
            found.append(Breach("no_one_alone", lonely, (company.rule_id,)))
    limit = people.size
    if limit is not None and limit.hard:
        off = tuple(n for n, size in enumerate(sizes) if not limit.low <= size <= limit.high)
        found += [Breach("group_size", off, limit.rule_ids)] if off else []
    return found


def _parted_or_not(apart: Sequence[Pair], together: Sequence[Pair], place: Mapping[str, int]) -> Iterator[Breach]:
    for verb, pairs in (("keep_apart", apart), ("keep_together", together)):
        for pair in pairs:
            one, other = (place.get(x) for x in pair.learners)
            if pair.hard and one is not None and other is not None and (one == other) == (verb == "keep_apart"):
                yield Breach(verb, tuple(sorted({one, other})), pair.rule_ids)


def _moved(
    grouping: Grouping, people: People, numbers: Mapping[str, int], place: Mapping[str, int]
) -> Iterator[Breach]:
    names = group_ids_of(grouping)
    for lock in people.locks:
        now = place.get(lock.learner_id)
        if lock.hard and now is not None and lock.group_id != names[now] and numbers.get(lock.group_id) != now + 1:
            yield Breach("lock", (now,), (lock.rule_id,))


def _lonely(company: Company, sizes: Sequence[int], place: Mapping[str, int]) -> tuple[int, ...]:
    """The groups with exactly one of those who are not to be alone; with nobody named, those of one member."""
    if not company.learners:
        return tuple(n for n, size in enumerate(sizes) if size == 1)
    where = [place[x] for x in company.learners if x in place]
    return tuple(n for n in range(len(sizes)) if where.count(n) == 1)
