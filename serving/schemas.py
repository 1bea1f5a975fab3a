"""The wire: what a school app sends and what it gets, apart from the nouns they become."""

from datetime import datetime
from typing import Annotated

import msgspec

from engine.domain.decision import Flag, Reason, RuleHeld
from engine.learner.preferences import MAX_SAID

# Whole numbers as ids become strings, over HTTP as in files.
Id = str | int
Count = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
MAX_EVENTS = 1_000
MAX_K = 50
MAX_LEARNERS = 200


class EventIn(msgspec.Struct, kw_only=True):
    """One interaction; `event_id` makes a repeated POST harmless, `at` is now where it is left out."""

    learner_id: Id
    event_id: Id | None = None
    resource_id: Id | None = None
    kind: str | None = None
    at: datetime | None = None
    order: Count | None = None
    outcome: float | None = None
    duration_s: float | None = None
    item_id: Id | None = None
    skills: tuple[str, ...] | None = None
    class_id: Id | None = None
    decision_id: Id | None = None
    with_learner_ids: tuple[str, ...] | None = None
    group_id: Id | None = None
    value: str | None = None
    voids: Id | None = None
    source: str = "http"


class EventsIn(msgspec.Struct, forbid_unknown_fields=True):
    """A batch of events, each judged on its own: a bad one never takes the others with it."""

    events: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MAX_EVENTS)]


class RejectedOut(msgspec.Struct):
    """Which one was refused, counted from 0, and why."""

    index: int
    reason: str


class EventsOut(msgspec.Struct):
    """What became of a batch; `seen_token` handed to a recommendation guarantees that it has seen these events."""

    accepted: int
    duplicates: int
    rejected: list[RejectedOut]
    seen_token: str


class ChoiceIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to choose, for whomever; `candidates` left out means everything available and not yet seen.

    With `again`, what was done before comes back for a promised check, a due review, or a goal with nothing new left.
    `minutes`: nothing that this learner is expected to take longer for.
    `goal` names the skills to aim at in this answer, in place of the goal that was set; `minutes_ahead` is how much
    work is left for the goal. `explore` lets near-ties take turns, drawn by `seed` where it is given.
    """

    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_K)] = 5
    objective: Annotated[str, msgspec.Meta(pattern="^(learning|uptake)$")] = "learning"
    class_id: Id | None = None
    minutes: Positive | None = None
    formats: tuple[str, ...] | None = None
    goal: Annotated[tuple[Id, ...], msgspec.Meta(max_length=MAX_SAID)] | None = None
    candidates: tuple[Id, ...] | None = None
    exclude: tuple[Id, ...] = ()
    minutes_ahead: Positive | None = None
    again: bool = True
    explore: bool | None = None
    seed: Count | None = None
    non_personalised: bool = False
    seen_token: str | None = None


class RecommendationIn(ChoiceIn, kw_only=True, forbid_unknown_fields=True):
    """What to choose for one learner; `what_if` asks what would be different."""

    learner_id: Id
    what_if: bool | None = None


class BatchIn(ChoiceIn, kw_only=True, forbid_unknown_fields=True):
    """What to choose for each learner of a class, or for each of these: one of the two."""

    learner_ids: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=MAX_LEARNERS)] | None = None


class FactsOut(msgspec.Struct):
    """What a sentence says apart from words: its `code`, and all that it names."""

    code: str
    facts: dict[str, str | float | tuple[str, ...]]


class OptionOut(msgspec.Struct):
    """One option of the slate; the contributions of its reasons add up to its score.

    `origin` says whose word put it there, `status` whether it is recommended, assigned (perhaps `due`) or required.
    `what_if_facts` say the same as `what_if`, one for each sentence.
    """

    resource_id: str
    title: str
    format: str
    rank: int
    score: float
    origin: str
    status: str
    p_success: float | None
    expected_minutes: float | None
    propensity: float
    reasons: tuple[Reason, ...]
    what_if: tuple[str, ...] = ()
    due: str | None = None
    what_if_facts: tuple[FactsOut, ...] = ()


class RecommendationOut(msgspec.Struct):
    """One decision, as it was recorded.

    `rules` are those that touched it; `conflict` names the smallest set of rules that could not all hold.
    `message_facts` say the same as `message`.
    """

    decision_id: str
    learner_id: str
    mode: str
    model_version: str
    slate: list[OptionOut]
    rules: tuple[RuleHeld, ...]
    flags: tuple[Flag, ...]
    seen_token: str
    message: str | None
    conflict: tuple[str, ...] = ()
    message_facts: FactsOut | None = None


class BatchOut(msgspec.Struct):
    """One decision for each learner, in the order asked for, or by learner id for a class."""

    decisions: list[RecommendationOut]


class OneResourceIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One resource that the address names; `minutes` is what it usually takes, `position` its place in the plan."""

    resource_id: Id | msgspec.UnsetType = msgspec.UNSET
    title: str | None = None
    format: str = "other"
    skills: tuple[str, ...] = ()
    minutes: Positive | None = None
    position: Whole | None = None
    language: str | None = None
    grade_min: Whole | None = None
    grade_max: Whole | None = None
    tags: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    available_from: datetime | None = None
    available_until: datetime | None = None
    url: str | None = None


class ResourceIn(OneResourceIn, kw_only=True, forbid_unknown_fields=False):
    """One resource of the catalogue; `minutes` is what it usually takes."""

    resource_id: Id


class ResourcePatchIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to change of a resource (RFC 7396): what is given takes the place of what stands, null clears it."""

    resource_id: Id | msgspec.UnsetType = msgspec.UNSET
    title: str | msgspec.UnsetType | None = msgspec.UNSET
    format: str | msgspec.UnsetType | None = msgspec.UNSET
    skills: tuple[str, ...] | msgspec.UnsetType | None = msgspec.UNSET
    minutes: Positive | msgspec.UnsetType | None = msgspec.UNSET
    position: Whole | msgspec.UnsetType | None = msgspec.UNSET
    language: str | msgspec.UnsetType | None = msgspec.UNSET
    grade_min: Whole | msgspec.UnsetType | None = msgspec.UNSET
    grade_max: Whole | msgspec.UnsetType | None = msgspec.UNSET
    tags: tuple[str, ...] | msgspec.UnsetType | None = msgspec.UNSET
    access: tuple[str, ...] | msgspec.UnsetType | None = msgspec.UNSET
    available_from: datetime | msgspec.UnsetType | None = msgspec.UNSET
    available_until: datetime | msgspec.UnsetType | None = msgspec.UNSET
    url: str | msgspec.UnsetType | None = msgspec.UNSET


class ResourcesIn(msgspec.Struct, forbid_unknown_fields=True):
    """The whole set that is offered from now on; what is absent is withdrawn."""

    resources: list[msgspec.Raw]


class ResourcesOut(msgspec.Struct):
    """What the sync changed, or with `dry_run` would change; a rejected resource stays as it was."""

    added: int
    changed: int
    withdrawn: int
    unchanged: int
    rejected: list[RejectedOut]
    dry_run: bool


class LearnerIn(msgspec.Struct, forbid_unknown_fields=True):
    """What a school tells about a learner; `features` feed models and hold nothing protected.

    `sharing` left out stays as it stands: only false, true or null change it.
    """

    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    access_needs: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    sharing: bool | msgspec.UnsetType | None = msgspec.UNSET


class ClassIn(msgspec.Struct, forbid_unknown_fields=True):
    """One class; two classes of one course are two cohorts of the same thing."""

    course_id: Id | None = None
    title: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
