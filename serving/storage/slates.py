"""How a decision's slate and the rules that touched it are written in a row: what is said twice is written once.

A row that fits into a quarter of a page of SQLite costs a third of one that does not.
"""

from itertools import groupby

import msgspec

from engine.domain.decision import Decision, NearTie, RuleHeld


class Offered(msgspec.Struct, frozen=True, array_like=True):
    """One slot, as it is read; before revision 0009 it was kept so."""

    slot: int
    resource_id: str | None
    score: float | None
    propensity: float | None
    origin: str | None
    near_ties: tuple[NearTie, ...]


class _Slot(msgspec.Struct, frozen=True, array_like=True):
    """One slot: `place` and `ties` are places in `of`, `chances` those of the first ties; of the others they are 0."""

    slot: int
    place: int
    propensity: float
    origin: str
    ties: tuple[int, ...]
    chances: tuple[float, ...]


class _Slate(msgspec.Struct, frozen=True):
    """The candidates that were considered, each with its score, and the slots."""

    of: tuple[tuple[str, float], ...]
    slots: tuple[_Slot, ...]


class _Alike(msgspec.Struct, frozen=True, array_like=True):
    """Rules, one after the other, of which the same is to be said."""

    held: bool
    effect: str
    verb: str
    rule_ids: tuple[str, ...]


class _Rules(msgspec.Struct, frozen=True):
    alike: tuple[_Alike, ...]


_encode = msgspec.json.Encoder().encode
_slots = msgspec.json.Decoder(_Slate | tuple[Offered, ...]).decode
_rules = msgspec.json.Decoder(_Rules | tuple[RuleHeld, ...]).decode


def slots_text(made: Decision) -> str:
    """What was offered."""
    places: dict[tuple[str, float], int] = {}
    slots = []
    for o in made.slate:
        place = places.setdefault((o.resource_id, o.score), len(places))
        ties = [places.setdefault((t.resource_id, t.score), len(places)) for t in o.near_ties]
        chances = [t.propensity for t in o.near_ties]
        while chances and not chances[-1]:
            chances.pop()
        slots.append((o.rank, place, o.propensity, o.origin, ties, chances))
    return _encode({"of": list(places), "slots": slots}).decode()


def slots_of(text: str) -> tuple[Offered, ...]:
    """What was offered, slot by slot."""
    found = _slots(text)
    if isinstance(found, tuple):
        return found
    return tuple(
        Offered(s.slot, found.of[s.place][0], found.of[s.place][1], s.propensity, s.origin, _ties(s, found.of))
        for s in found.slots
    )


def _ties(slot: _Slot, of: tuple[tuple[str, float], ...]) -> tuple[NearTie, ...]:
    chances = (*slot.chances, *[0.0] * (len(slot.ties) - len(slot.chances)))
    return tuple(
        NearTie(resource_id=of[place][0], score=of[place][1], propensity=chance)
        for place, chance in zip(slot.ties, chances, strict=True)
    )


def rules_text(made: Decision) -> str:
    """The rules that touched it."""
    alike = [
        (*said, [rule.rule_id for rule in some])
        for said, some in groupby(made.rules, key=lambda rule: (rule.held, rule.effect, rule.verb))
    ]
    return _encode({"alike": alike}).decode()


def rules_of(text: str) -> tuple[RuleHeld, ...]:
    """The rules that touched it, in their order."""
    found = _rules(text)
    if isinstance(found, tuple):
        return found
    return tuple(
        RuleHeld(rule_id=x, held=some.held, effect=some.effect, verb=some.verb)
        for some in found.alike
        for x in some.rule_ids
    )
