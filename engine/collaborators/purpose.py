"""What the groups of a mode are for, in words for their teacher: what each has in common, who is the expert of what."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.collaborators.modes import INTEREST, NEED, PART, STRENGTH
from engine.collaborators.roster import Roster

Title = Callable[[str], str]
_IN_COMMON = {"same_need": NEED, "interest": INTEREST}
# What each mode looks at, and what is said where it is known of nobody, or not of everybody where that matters.
_LOOKS_AT = {
    "same_need": (NEED, "nobody here is known to need a skill next", "are not known to need a skill next"),
    "interest": (INTEREST, "nobody here wants what somebody else is known to want", "want nothing that others want"),
    "jigsaw": (PART, "there is no skill to be the expert of", ""),
    "mixed": (STRENGTH, "it is not known how strong anybody here is", ""),
}


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a group is together for: the skill or interest in common, None where there is none, and a teacher's words.

    `experts`: in a jigsaw the skill that each is to be the expert of. Nothing here is for pupils.
    """

    in_common: str | None = None
    text_teacher: str | None = None
    experts: dict[str, str] = field(default_factory=dict)


def purpose_of(mode: str, roster: Roster, members: Sequence[int], title: Title) -> Purpose:
    """What these members of a roster, with the columns of the mode, are together for; ties by id."""
    if mode == "jigsaw":
        parts = {roster.learner_ids[i]: part for i in members if (part := roster.columns[PART][i])}
        if not parts:
            return Purpose()
        names = ", ".join(dict.fromkeys(title(part) for part in sorted(parts.values())))
        return Purpose(None, f"Each is the expert of a part: {names}.", parts)
    if mode not in _IN_COMMON:
        return Purpose()
    told = Counter(value for i in members if (value := roster.columns[_IN_COMMON[mode]][i]))
    if not told:
        return Purpose()
    value, n = min(told.items(), key=lambda one: (-one[1], one[0]))
    if mode == "same_need":
        do, other = f"need{'s' if n == 1 else ''} {title(value)} next", "need"
    else:
        do, other = f"want{'s' if n == 1 else ''} {title(value)}", "want"
    rest = sum(told.values()) - n
    also = f"; {rest} {other}{'s' if rest == 1 else ''} something else" if rest else ""
    return Purpose(value, f"{n} of {len(members)} {do}{also}.")


def notes_for(mode: str, roster: Roster) -> list[str]:
    """That a mode finds nothing, or not of everybody, of what it looks at; and what is done instead."""
    if mode not in _LOOKS_AT:
        return []
    column, nobody, some = _LOOKS_AT[mode]
    n, without = len(roster), sum(not value for value in roster.columns[column])
    if without == n:
        return [f"{nobody}, so these groups follow the other rules alone"]
    if not without or not some:
        return []
    return [f"{without} of the {n} {some}, as far as is known: they are where there was room"]
