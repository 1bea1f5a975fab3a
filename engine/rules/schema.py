"""The JSON Schema of a rule, made from the table of verbs."""

from engine.domain.interaction import MAX_ID_BYTES
from engine.domain.rule import STRENGTHS
from engine.rules.language import MAX_NAMES, MAX_REASON, SCOPES
from engine.rules.values import FORMS
from engine.rules.verbs import LANGUAGE, VERBS, Verb

_ID = {"type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES}
_TIME = {
    "type": ["string", "null"],
    "description": "an ISO date or timestamp; until a date lasts to the end of that day in the school's time zone",
}
_TEXT = {"type": ["string", "null"], "maxLength": MAX_REASON}


def schema() -> dict[str, object]:
    """The schema, draft 2020-12; it accepts what `rule_of` reads, but for what no schema can say (such as that the
    lower end of a band comes first).
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rule",
        "description": f"A teacher's rule, version {LANGUAGE} of the language",
        "type": "object",
        "required": ["id", "verb"],
        "additionalProperties": False,
        "properties": {
            "id": _ID,
            "language": {"const": LANGUAGE},
            "version": {"type": "integer", "minimum": 1},
            "scope": {
                "type": "object", "properties": dict.fromkeys(SCOPES, _ID), "additionalProperties": False,
                "maxProperties": 1,
            },
            "verb": {"enum": list(VERBS)},
            "what": {"type": "object"},
            "value": True,
            "strength": {"enum": list(STRENGTHS)},
            "from": _TIME, "until": _TIME, "reason": _TEXT, "author": _TEXT,
            "created_at": {"type": ["string", "null"]}, "updated_at": {"type": ["string", "null"]},
        },
        "oneOf": [_of_verb(name, verb) for name, verb in VERBS.items()],
    }  # fmt: skip


def _of_verb(name: str, verb: Verb) -> dict[str, object]:
    names = {
        "type": "array", "items": _ID, "minItems": verb.least if len(verb.kinds) == 1 and verb.least else 1,
        "maxItems": MAX_NAMES,
    }  # fmt: skip
    what: dict[str, object] = {
        "type": "object", "properties": dict.fromkeys(verb.kinds, names), "additionalProperties": False,
        "minProperties": 1 if verb.least else 0,
    }  # fmt: skip
    value: object = {"type": "null"}
    required = ["what"] if verb.least else []
    if verb.value is not None:
        form = FORMS[verb.value].schema
        value = {"anyOf": [form, {"type": "null"}]} if verb.value_optional else form
        required += [] if verb.value_optional else ["value"]
    return {
        "title": name,
        "description": verb.says,
        "properties": {"verb": {"const": name}, "what": what, "value": value},
        "required": required,
    }
