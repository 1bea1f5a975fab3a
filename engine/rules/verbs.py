"""The verbs of the language in one table, which parser, schema, desk and docs share."""

from dataclasses import dataclass

# The version of the language; it changes when a rule that was written before would mean something else.
LANGUAGE = 1
CONTENT = ("skills", "resources", "formats", "tags")
KINDS = (*CONTENT, "learners")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """What a verb may name in `what`, how many names it needs, what value it takes, and what it says.

    `value` names a form of `engine.rules.values`, None where the verb takes none; `says` is said to a teacher, with
    `{what}` and `{value}` for what the rule names. `people` verbs speak of who works with whom.
    """

    kinds: tuple[str, ...] = ()
    least: int = 0
    value: str | None = None
    value_optional: bool = False
    strength: str = "hard"
    people: bool = False
    says: str


VERBS = {
    "pin": Verb(kinds=("resources",), least=1, says="always show {what} first"),
    "assign": Verb(kinds=("resources",), least=1, value="due", value_optional=True, says="assign {what}{value}"),
    "hide": Verb(kinds=CONTENT, least=1, says="hide {what}"),
    "only": Verb(kinds=CONTENT, least=1, says="show only {what}"),
    "require_first": Verb(kinds=("skills",), least=1, says="{what} first"),
    "waive_prerequisite": Verb(kinds=("skills", "resources"), least=1, says="do not wait for what {what} builds on"),
    "freeze_path": Verb(kinds=("skills", "resources"), says="keep to the path{of_what}"),
    "approve_contact": Verb(kinds=("learners",), people=True, says="ask before contact with peers{of_what}"),
    "keep_apart": Verb(kinds=("learners",), least=2, people=True, says="keep {what} apart"),
    "keep_together": Verb(kinds=("learners",), least=2, people=True, says="keep {what} together"),
    "no_one_alone": Verb(kinds=("learners",), people=True, says="leave nobody alone{of_what}"),
    "lock": Verb(kinds=("learners",), people=True, says="leave groups as they are{of_what}"),
    "boost": Verb(kinds=CONTENT, least=1, value="factor", strength="soft", says="show {what} earlier, by {value}"),
    "demote": Verb(kinds=CONTENT, least=1, value="factor", strength="soft", says="show {what} later, by {value}"),
    "success_band": Verb(kinds=CONTENT, value="band", says="a chance of success of {value}{of_what}"),
    "cap_minutes": Verb(value="minutes", says="at most {value}"),
    "pace_bounds": Verb(value="bounds", says="a pace of {value}"),
    "formats": Verb(value="quotas", says="in a slate {value}"),
    "set_mastery": Verb(kinds=("skills",), least=1, value="share", says="count {what} as known to {value}"),
    "group_size": Verb(value="size", people=True, says="groups of {value}"),
    "helper_limit": Verb(
        kinds=("learners",), value="count", people=True, says="help others at most {value} times a week{of_what}"
    ),
}
