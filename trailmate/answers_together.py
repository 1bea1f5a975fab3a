"""What the service answers of learning together, typed; a representation never shows who a learner is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """What each side gets out of it, in [0, 1]; `both` is the harmonic mean."""

    mine: float
    theirs: float
    both: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something of the catalogue to do together; `artifact`: it ends in something made."""

    resource_id: str
    title: str
    format: str
    skills: tuple[str, ...] = ()
    inquiry: bool = False
    artifact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerReason:
    """Why; the teacher's words and evidence are None for keys that may not read of learners."""

    code: str
    text_learner: str
    text_teacher: str | None = None
    evidence: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collaborator:
    """One peer to learn with; `approval` is not_needed, waiting or approved, `asked` whether a teacher was asked."""

    option_id: str
    mode: str
    learner_id: str = field(repr=False)
    approval: str
    topic: str | None = None
    topic_title: str | None = None
    in_return: str | None = None
    benefit: Benefit | None = None
    task: Task | None = None
    reasons: tuple[PeerReason, ...] = ()
    asked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFlag:
    """Something only a teacher should know of."""

    code: str
    learner_id: str = field(repr=False)
    text_teacher: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collaborators:
    """Peers for one learner, the best first."""

    learner_id: str = field(repr=False)
    options: tuple[Collaborator, ...]
    flags: tuple[PeerFlag, ...] = ()
    seen_token: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group: the skills all of it is ready for, the one in common first, and a task for the first of them.

    `in_common`: the skill most of it need next, or the interest most share, `text_teacher` the same in words.
    `experts`: in a jigsaw the skill of each. All three are for the teacher.
    """

    group: int
    learner_ids: tuple[str, ...] = field(repr=False)
    skills: tuple[str, ...] = ()
    task: Task | None = None
    in_common: str | None = None
    text_teacher: str | None = None
    experts: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """How one rule fares; `index`: its place among the rules asked for, or in `locked`, by `origin`.

    `learners`: whom it names.
    """

    origin: str
    verb: str
    strength: str
    broken: int
    of: int
    index: int | None = None
    rule_ids: tuple[str, ...] = ()
    learners: tuple[str, ...] = field(default=(), repr=False)
    weight: float = 1.0
    by_group: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupProposal:
    """One way to group the class."""

    grouping_id: str
    groups: tuple[Group, ...]
    rules: tuple[RuleReport, ...] = ()
    objective: float = 0.0
    broken: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Who is in no group, and why: opted_out or absent."""

    learner_id: str = field(repr=False)
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Proposals for a class, the best first; no grouping has an objective below `bound`."""

    class_id: str
    mode: str
    proposals: tuple[GroupProposal, ...]
    bound: float = 0.0
    proved_best: bool = False
    seed: int = 0
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptGroup:
    """One group as it is kept; `group_id` is what rules and events call it."""

    group: int
    learner_ids: tuple[str, ...] = field(repr=False)
    resource_id: str | None = None
    title: str | None = None
    group_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptGroups:
    """One grouping as it is kept; `repeats` of its `pairs` were together in one of the last three before.

    `notes`: hard rules that do not hold in it, and who chose not to be matched, by their places. `etag`: what changing
    these groups takes, to do so only as they were read.
    """

    grouping_id: str
    class_id: str
    at: datetime
    groups: tuple[KeptGroup, ...]
    mode: str | None = None
    repeats: int = 0
    pairs: int = 0
    notes: tuple[str, ...] = ()
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Groupings:
    """The groupings of a class, the newest first, and how even company and helping were.

    `alone`: who had nobody to learn with lately, while most of the class had somebody; None where most had nobody.
    Who chose not to be matched stands in `alone_by_choice`. Both never for pupils.
    """

    class_id: str
    groupings: tuple[KeptGroups, ...]
    repeat_rate: float = 0.0
    helper_load_gini: float = 0.0
    alone: tuple[str, ...] | None = field(default=None, repr=False)
    alone_by_choice: tuple[str, ...] = field(default=(), repr=False)
    helper_loads: dict[str, int] = field(default_factory=dict, repr=False)
