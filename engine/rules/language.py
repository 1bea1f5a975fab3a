"""Reading rules from their plain form (JSON or YAML, loaded) and writing them back."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from difflib import get_close_matches
from zoneinfo import ZoneInfo

from engine.domain.errors import BadInput
from engine.domain.interaction import MAX_ID_BYTES
from engine.domain.rule import REACHES, STRENGTHS, Rule, Scope, What
from engine.rules.times import is_time, window
from engine.rules.values import FORMS
from engine.rules.verbs import KINDS, LANGUAGE, VERBS, Verb

MAX_NAMES, MAX_REASON = 1_000, 2_000
FIELDS = (
    "id", "language", "version", "scope", "verb", "what", "value", "strength", "from", "until", "reason", "author",
    "created_at", "updated_at",
)  # fmt: skip
SCOPES = REACHES[1:]
_UTC = ZoneInfo("UTC")

Plain = dict[str, object]


def rule_of(plain: Mapping[str, object], *, zone: ZoneInfo = _UTC) -> Rule:
    """The rule of a plain form; what is left out has its default.

    Raises:
        BadInput: every mistake in it, one sentence each.
    """
    mistakes = mistakes_in(plain, zone=zone)
    if mistakes:
        raise BadInput(" ".join(mistakes))
    given = _tidy(plain)
    verb = str(given["verb"])
    scope, what = given.get("scope"), given.get("what")
    return Rule(
        rule_id=str(given["id"]),
        verb=verb,
        strength=str(given.get("strength") or VERBS[verb].strength),
        scope=Scope(**scope) if isinstance(scope, dict) else Scope(),
        what=What(**{kind: tuple(dict.fromkeys(names)) for kind, names in what.items()})
        if isinstance(what, dict)
        else What(),
        value=given.get("value"),
        starts=_text(given, "from"),
        until=_text(given, "until"),
        reason=_text(given, "reason"),
        author=_text(given, "author"),
        version=int(str(given.get("version") or 1)),
        created_at=_text(given, "created_at"),
        updated_at=_text(given, "updated_at"),
    )


def plain_of(rule: Rule) -> Plain:
    """The whole plain form of a rule; `rule_of` gives the same rule back."""
    kind, name = rule.scope.key
    named = {f.name: list(getattr(rule.what, f.name)) for f in fields(What) if getattr(rule.what, f.name)}
    return {
        "id": rule.rule_id, "language": LANGUAGE, "version": rule.version,
        "scope": {kind: name} if rule.scope.level else {}, "verb": rule.verb, "what": named, "value": rule.value,
        "strength": rule.strength, "from": rule.starts, "until": rule.until, "reason": rule.reason,
        "author": rule.author, "created_at": rule.created_at, "updated_at": rule.updated_at,
    }  # fmt: skip


def mistakes_in(plain: object, *, zone: ZoneInfo = _UTC) -> list[str]:
    """What is wrong with a plain form, one sentence each with what to do next; nothing where it is a rule."""
    if not isinstance(plain, Mapping):
        return ["A rule is an object with at least id, verb and what: send one."]
    given = _tidy(plain)
    found = [f"{name!r} is no field of a rule: {_instead(name, FIELDS)}" for name in given if name not in FIELDS]
    if given.get("language") not in (None, LANGUAGE):
        found.append(f"This server speaks version {LANGUAGE} of the language: leave language out, or write {LANGUAGE}.")
    if not _is_id(given.get("id")):
        found.append(f"A rule needs a stable id: give one of 1 to {MAX_ID_BYTES} bytes.")
    version = given.get("version")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool) or version < 1):
        found.append("A version is a whole number from 1 on: leave it out.")
    if given.get("strength") not in (None, *STRENGTHS):
        found.append("strength is hard or soft: write one of them.")
    found += _in_texts(given) + _in_scope(given.get("scope"))
    verb = given.get("verb")
    if not isinstance(verb, str) or verb not in VERBS:
        what = given.get("what")
        found += [f"{kind!r} is nothing a rule can name: {_instead(kind, KINDS)}" for kind in _unknown_kinds(what)]
        return [*found, f"{verb!r} is no verb: {_instead(verb, tuple(VERBS))}" if verb else _no_verb()]
    found += _in_what(verb, VERBS[verb], given.get("what")) + _in_value(verb, VERBS[verb], given)
    return found + _in_times(given, zone)


def _unknown_kinds(what: object) -> list[str]:
    return [kind for kind in what if kind not in KINDS] if isinstance(what, dict) else []


def _no_verb() -> str:
    return f"A rule needs a verb: write one of {', '.join(VERBS)}."


def _instead(name: object, known: tuple[str, ...]) -> str:
    close = get_close_matches(str(name), known, 1)
    return f"did you mean {close[0]}?" if close else f"write one of {', '.join(known)}."


def _tidy(plain: Mapping[str, object]) -> Plain:
    """What YAML makes of a file becomes what JSON would hold: dates become text, whole numbers as names too."""
    given: Plain = {str(name): _text_of_time(value) for name, value in plain.items()}
    if isinstance(given.get("id"), int) and not isinstance(given["id"], bool):
        given["id"] = str(given["id"])
    scope, what, value = given.get("scope"), given.get("what"), given.get("value")
    if isinstance(scope, Mapping):
        given["scope"] = {str(k): _name(v) for k, v in scope.items()}
    if isinstance(what, Mapping):
        given["what"] = {str(k): [_name(n) for n in v] if isinstance(v, list | tuple) else v for k, v in what.items()}
    if isinstance(value, Mapping):
        given["value"] = {str(k): _text_of_time(v) for k, v in value.items()}
    if isinstance(value, tuple):
        given["value"] = list(value)
    return given


def _text_of_time(value: object) -> object:
    return value.isoformat() if isinstance(value, date | datetime) else value


def _name(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _text(given: Plain, name: str) -> str | None:
    value = given.get(name)
    return None if value is None else str(value)


def _is_id(name: object) -> bool:
    if not isinstance(name, str) or not name.isprintable():
        return False
    return 0 < len(name.encode(errors="replace")) <= MAX_ID_BYTES


def _in_texts(given: Plain) -> list[str]:
    found = []
    for name in ("reason", "author"):
        text = given.get(name)
        if text is not None and not (isinstance(text, str) and len(text) <= MAX_REASON):
            found.append(f"{name} is a text of at most {MAX_REASON} characters: shorten it or leave it out.")
    for name in ("created_at", "updated_at"):
        if given.get(name) is not None and not is_time(given[name]):
            found.append(f"{name} is kept by the server: leave it out.")
    return found


def _in_scope(scope: object) -> list[str]:
    if scope is None:
        return []
    if not isinstance(scope, dict):
        return ["scope is an object: write {} for everybody, or name a class_id, a group_id or a learner_id."]
    found = [f"{kind!r} is no scope: {_instead(kind, SCOPES)}" for kind in scope if kind not in SCOPES]
    if len(scope) > 1:
        found.append("A rule has one scope: name one class, one group or one learner, and write further rules.")
    bad = [kind for kind, name in scope.items() if kind in SCOPES and not _is_id(name)]
    return found + [f"The {kind} of the scope must have 1 to {MAX_ID_BYTES} bytes: name one." for kind in bad]


def _in_what(name: str, verb: Verb, what: object) -> list[str]:
    if what is not None and not isinstance(what, dict):
        return [f"what is an object of lists: name {' or '.join(verb.kinds or KINDS)} in it."]
    found, n_names = [], 0
    for kind, names in (what or {}).items():
        if kind not in KINDS:
            found.append(f"{kind!r} is nothing a rule can name: {_instead(kind, KINDS)}")
        elif kind not in verb.kinds:
            wanted = f"name {' or '.join(verb.kinds)}" if verb.kinds else "leave what empty"
            found.append(f"{name} does not speak of {kind}: {wanted}.")
        elif not isinstance(names, list) or not all(map(_is_id, names)) or len(names) > MAX_NAMES:
            found.append(f"{kind} is a list of up to {MAX_NAMES} names, none of them empty: mend it.")
        elif not names:
            found.append(f"{kind} names nothing: name something or leave it out.")
        else:
            n_names += len(set(names))
    if not found and n_names < verb.least:
        least = "two different ones" if verb.least > 1 else "one"
        found.append(f"{name} needs something to speak of: name {' or '.join(verb.kinds)}, at least {least}.")
    return found


def _in_value(name: str, verb: Verb, given: Plain) -> list[str]:
    value = given.get("value")
    if verb.value is None:
        return [] if value is None else [f"{name} takes no value: leave it out."]
    form = FORMS[verb.value]
    if value is None:
        return [] if verb.value_optional else [f"{name} needs a value: write {form.write}."]
    return [] if form.fits(value) else [f"The value of {name} does not fit: write {form.write}."]


def _in_times(given: Plain, zone: ZoneInfo) -> list[str]:
    times = {name: given.get(name) for name in ("from", "until")}
    found = [
        f"{name} is no ISO date or timestamp: write it like 2026-12-18."
        for name, text in times.items()
        if text is not None and not is_time(text)
    ]
    if found or None in times.values():
        return found
    begins, ends = window(Rule(rule_id="", verb="", starts=_text(given, "from"), until=_text(given, "until")), zone)
    return [] if begins < ends else ["The rule ends before it begins: put until after from."]
