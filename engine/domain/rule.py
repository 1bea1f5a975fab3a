"""A teacher's standing word on what is shown to whom, and who works with whom."""

from dataclasses import dataclass, field

STRENGTHS = ("hard", "soft")
# From the widest to the narrowest: among equals the narrower wins.
REACHES = ("tenant", "class_id", "group_id", "learner_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """For whom a rule speaks: one class, one group, one learner, or, with nothing named, the whole tenant."""

    class_id: str | None = None
    group_id: str | None = None
    learner_id: str | None = None

    @property
    def level(self) -> int:
        """How narrow it is: 0 the tenant, 1 a class, 2 a group, 3 a learner."""
        named = (self.class_id, self.group_id, self.learner_id)
        return next((level for level, name in enumerate(named, 1) if name is not None), 0)

    @property
    def key(self) -> tuple[str, str]:
        """Its kind, out of `REACHES`, and the id."""
        return REACHES[self.level], self.class_id or self.group_id or self.learner_id or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class What:
    """Of what a rule speaks. A resource must fit every kind that is named, and in each kind one of the names."""

    skills: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    learners: tuple[str, ...] = ()

    @property
    def of_content(self) -> bool:
        """Whether anything is named that a resource can fit."""
        return bool(self.skills or self.resources or self.formats or self.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One version of one rule. `value` has the plain form (numbers, strings, lists, dicts) that its verb asks for.

    `starts` and `until` are the ISO dates or timestamps as they were given; `engine.rules.times` says when that is.
    `created_at` and `updated_at` are ISO timestamps, kept by whoever stores the rule.
    """

    rule_id: str
    verb: str
    strength: str = "hard"
    scope: Scope = field(default_factory=Scope)
    what: What = field(default_factory=What)
    value: object = field(default=None, hash=False)
    starts: str | None = None
    until: str | None = None
    reason: str | None = None
    author: str | None = None
    version: int = 1
    created_at: str | None = None
    updated_at: str | None = None
