"""The wire of learning together: peers for one learner, groups for a class."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from serving.schemas import Id

MAX_PEERS = 20
MAX_PROPOSALS = 5
MAX_MEMBERS = 1_000
MAX_RULES = 200

Audience = Literal["learner", "teacher"]
PeerMode = Literal["helper", "study_partner", "project", "new_people"]
GroupMode = Literal["same_need", "mixed", "jigsaw", "interest", "random"]


class CollaboratorsIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whom one learner might learn with; `topic` is a skill, or an interest such as a format.

    `scope` school needs a key with the scope read. `audience` narrows what a teacher's key sees to the learner's view.
    """

    learner_id: Id
    class_id: Id | None = None
    modes: Annotated[tuple[PeerMode, ...], msgspec.Meta(min_length=1, max_length=8)] | None = None
    topic: Annotated[str, msgspec.Meta(min_length=1, max_length=512)] | None = None
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_PEERS)] = 3
    scope: Literal["class", "school"] = "class"
    audience: Audience | None = None
    seen_token: str | None = None


class BenefitOut(msgspec.Struct):
    """What each side gets out of it, in [0, 1]; `both` is the harmonic mean."""

    mine: float
    theirs: float
    both: float


class TaskOut(msgspec.Struct):
    """Something of the catalogue to do together; `artifact`: it ends in something made."""

    resource_id: str
    title: str
    format: str
    skills: tuple[str, ...]
    inquiry: bool
    artifact: bool


class PeerReasonOut(msgspec.Struct):
    """Why; the teacher's words and evidence only for keys that may read of learners."""

    code: str
    text_learner: str
    text_teacher: str | None
    evidence: dict[str, float | str] | None


class CollaboratorOut(msgspec.Struct):
    """One peer to learn with; `approval` is not_needed, waiting or approved, and contact waits for it.

    `asked`: whether the question stands with the teacher; while it waits and nobody asked, nobody can say yes.
    """

    option_id: str
    mode: str
    learner_id: str
    topic: str | None
    topic_title: str | None
    in_return: str | None
    benefit: BenefitOut | None
    task: TaskOut | None
    reasons: list[PeerReasonOut]
    approval: str
    asked: bool


class PeerFlagOut(msgspec.Struct):
    """Something only a teacher should know of: alone, nobody, opted_out."""

    code: str
    learner_id: str
    text_teacher: str


class CollaboratorsOut(msgspec.Struct):
    """Peers, the best first; `flags` are empty for keys that may not read of learners."""

    learner_id: str
    options: list[CollaboratorOut]
    flags: list[PeerFlagOut]
    seen_token: str
    message: str | None


class LockedIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Learners who stay in a group while the rest is grouped again."""

    learner_ids: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=MAX_MEMBERS)]
    group: Annotated[int, msgspec.Meta(ge=1, le=MAX_MEMBERS)]


class GroupsIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Groups for a class: a mode, a size such as 4 or "3-5", and rules as `trailmate groups` takes them.

    `columns` are what rules may ask for `by`: a text or number for each learner. Work is counted in `seconds`.
    """

    class_id: Id
    mode: GroupMode = "mixed"
    size: int | str | None = None
    rules: Annotated[tuple[dict[str, Any], ...], msgspec.Meta(max_length=MAX_RULES)] = ()
    locked: Annotated[tuple[LockedIn, ...], msgspec.Meta(max_length=MAX_RULES)] = ()
    columns: dict[str, dict[str, str | int | float | None]] = {}
    absent: Annotated[tuple[Id, ...], msgspec.Meta(max_length=MAX_MEMBERS)] = ()
    skills: Annotated[tuple[str, ...], msgspec.Meta(max_length=50)] | None = None
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    seconds: Annotated[float, msgspec.Meta(gt=0, le=10)] = 1.0
    proposals: Annotated[int, msgspec.Meta(ge=1, le=MAX_PROPOSALS)] = 3


class GroupOut(msgspec.Struct):
    """One group: the skills all of it is ready for, the one in common first, and a task for the first of them.

    `in_common`: the skill most of it need next, or the interest most share, `text_teacher` the same in words.
    `experts`: in a jigsaw the skill of each. All three are for the teacher.
    """

    group: int
    learner_ids: tuple[str, ...]
    skills: tuple[str, ...]
    task: TaskOut | None
    in_common: str | None
    text_teacher: str | None
    experts: dict[str, str]


class GroupRuleOut(msgspec.Struct):
    """How one rule fares: `origin` request, locked, rule (`rule_ids` say which), history, edits or mode.

    `index`: its place in the request's rules, or in `locked`. `learners`: whom it names.
    """

    origin: str
    index: int | None
    rule_ids: tuple[str, ...]
    verb: str
    learners: tuple[str, ...]
    strength: str
    weight: float
    broken: int
    of: int
    by_group: tuple[int, ...]


class ProposalOut(msgspec.Struct):
    """One way to group the class; its id is free to be kept under."""

    grouping_id: str
    groups: list[GroupOut]
    rules: list[GroupRuleOut]
    objective: float
    broken: float


class LeftOutOut(msgspec.Struct):
    """Who is in no group, and why: opted_out or absent."""

    learner_id: str
    why: str


class GroupsOut(msgspec.Struct):
    """Proposals, the best first; no grouping has an objective below `bound`."""

    class_id: str
    mode: str
    proposals: list[ProposalOut]
    bound: float
    proved_best: bool
    seed: int
    left_out: list[LeftOutOut]
    notes: list[str]


class ChosenGroupIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One group as the teacher wants it; `group_id` where it has a name of its own, which rules may be for."""

    learner_ids: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=MAX_MEMBERS)]
    group_id: Id | None = None
    resource_id: Id | None = None
    title: Annotated[str, msgspec.Meta(max_length=512)] | None = None


class GroupingIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The groups a teacher chose; `proposed` as they were proposed, so that changes are learned from."""

    class_id: Id
    groups: Annotated[tuple[ChosenGroupIn, ...], msgspec.Meta(min_length=1, max_length=MAX_MEMBERS)]
    mode: GroupMode | None = None
    proposed: Annotated[tuple[tuple[Id, ...], ...], msgspec.Meta(max_length=MAX_MEMBERS)] = ()
    at: datetime | None = None


class ChosenGroupOut(msgspec.Struct):
    """One group as it is kept; rules for it, and events in it, name its `group_id`."""

    group: int
    learner_ids: tuple[str, ...]
    resource_id: str | None
    title: str | None
    group_id: str


class GroupingOut(msgspec.Struct):
    """One grouping as it is kept, and how many of its pairs were together in one of the last three before.

    `notes`, when it is kept: hard rules that do not hold in it, and who chose not to be matched. `etag`: what
    `If-Match` takes, to change these groups only as they were read.
    """

    grouping_id: str
    class_id: str
    at: datetime
    mode: str | None
    groups: list[ChosenGroupOut]
    repeats: int
    pairs: int
    notes: list[str]
    etag: str


class GroupingsOut(msgspec.Struct):
    """The groupings of a class, the newest first; the share of pairs that met again, and how uneven helping is.

    `alone`: who had nobody to learn with lately while most of the class had somebody, None where most had nobody; never
    for pupils. Who chose not to be matched stands in `alone_by_choice` instead. `helper_loads`: how often each helped.
    """

    class_id: str
    groupings: list[GroupingOut]
    repeat_rate: float
    helper_load_gini: float
    alone: list[str] | None
    alone_by_choice: list[str] = []
    helper_loads: dict[str, int] = {}
