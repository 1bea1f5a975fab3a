"""Why pairs meet again: a note for the teacher where what was asked for wants them together."""

from dataclasses import replace

from engine.collaborators.bounds import least_broken
from engine.collaborators.proposals import Grouping
from engine.collaborators.propose import Effort, propose
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Spec

# Enough to see how few could meet again, and little beside the search for the groups themselves.
_STEPS_FOR_EACH = 600


def notes_on_again(mode: str, roster: Roster, spec: Spec, found: Grouping) -> list[str]:
    """How many pairs of earlier groups meet again in the first proposal for the sake of the rules that come first."""
    best = found.proposals[0]
    met = next((c for c in best.counts if c.rule.after and c.rule.verb == "avoid_repeat"), None)
    if met is None or met.broken <= least_broken(met.rule, roster, best.layout):
        return []
    alone = Spec(spec.size, (*(rule for rule in spec.rules if rule.hard), replace(met.rule, weight=1.0, after=False)))
    without = propose(roster, alone, Effort(seed=found.seed, steps=_STEPS_FOR_EACH * len(roster)))
    if not isinstance(without, Grouping):
        return []
    fewest = int(without.proposals[0].broken)
    if fewest >= met.broken:
        return []
    pairs = "1 pair meets" if met.broken == 1 else f"{met.broken} pairs meet"
    return [
        f"{pairs} again that earlier groups had together, since what {mode} and your rules ask for comes before new "
        f"company; without that {fewest} would"
    ]
