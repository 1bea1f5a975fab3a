"""What peers and groups ask of those who keep rules and approvals."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from engine.domain.rule import Rule

Pair = tuple[str, str]
# The rules of a tenant, whatever they speak of.
RulesOf = Callable[[str], Awaitable[Sequence[Rule]]]
# Of these pairs of a tenant, each with the smaller id first, those whose contact a teacher approved.
ApprovedOf = Callable[[str, Iterable[Pair]], Awaitable[frozenset[Pair]]]


async def no_rules(_tenant: str) -> Sequence[Rule]:
    """None, where nothing keeps rules."""
    return ()


async def none_approved(_tenant: str, _pairs: Iterable[Pair]) -> frozenset[Pair]:
    """None: where a rule asks for approval and nobody can give it, contact waits."""
    return frozenset()


def pair_of(one: str, other: str) -> Pair:
    """A pair whichever way round it is named."""
    return (min(one, other), max(one, other))
