"""A teacher's one-off change, and the rules it comes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from engine.domain.errors import BadInput
from engine.domain.rule import Rule
from engine.rules.language import Plain, rule_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a kind of override needs and which verb it comes to; `logged` is the kind of its interaction in the log.

    `names` are the fields that say of what it speaks, `least` how many of them must name something.
    """

    verb: str
    names: tuple[str, ...]
    logged: str = "overridden"
    least: int = 1


KINDS = {
    "pin": Kind(verb="pin", names=("resource_ids",)),
    "swap": Kind(verb="pin", names=("resource_ids",)),
    "hide": Kind(verb="hide", names=("resource_ids", "skills")),
    "assign": Kind(verb="assign", names=("resource_ids",), logged="assigned"),
    "set_mastery": Kind(verb="set_mastery", names=("skills",), logged="mastery_set"),
    "freeze": Kind(verb="freeze_path", names=("resource_ids", "skills"), least=0),
    "approve": Kind(verb="waive_prerequisite", names=("resource_ids", "skills")),
}
PREFIX = "override-"
_HIDES = "-hides"
_WHAT = {"resource_ids": "resources", "skills": "skills"}


def compiled(given: Mapping[str, object], *, zone: ZoneInfo) -> tuple[Rule, ...]:
    """The rules of an override in its plain form: one, or of a swap what is put in and what is taken out.

    Raises:
        BadInput: a field is missing, or belongs to another kind.
    """
    kind = str(given["kind"])
    form = KINDS[kind]
    _require_fields(given, kind, form)
    what = {_WHAT[name]: given[name] for name in form.names if given.get(name)}
    main: Plain = {**_shared(given), "id": given["id"], "verb": form.verb, "what": what, "value": _value(given, kind)}
    if kind != "swap":
        return (rule_of(main, zone=zone),)
    gone = {"resources": [given["instead_of"]]}
    hides: Plain = {**_shared(given), "id": f"{given['id']}{_HIDES}", "verb": "hide", "what": gone}
    return rule_of(main, zone=zone), rule_of(hides, zone=zone)


def _shared(given: Mapping[str, object]) -> Plain:
    return {name: given.get(name) for name in ("scope", "from", "until", "reason")}


def _value(given: Mapping[str, object], kind: str) -> object:
    if kind == "assign":
        return {"due": given["due"]} if given.get("due") is not None else None
    return given.get("value") if kind == "set_mastery" else None


def _require_fields(given: Mapping[str, object], kind: str, form: Kind) -> None:
    named = [name for name in _WHAT if given.get(name)]
    foreign = [name for name in named if name not in form.names]
    only = {"instead_of": "swap", "due": "assign", "value": "set_mastery"}
    foreign += [name for name, own in only.items() if given.get(name) is not None and kind != own]
    if foreign:
        raise BadInput(f"{kind} takes no {foreign[0]}; leave it out")
    if form.least and not named:
        raise BadInput(f"{kind} needs something to speak of; name it in {' or '.join(form.names)}")
    if kind == "swap" and given.get("instead_of") is None:
        raise BadInput("swap needs the resource that goes; name it in instead_of")
    if kind == "swap" and given["instead_of"] in _names(given.get("resource_ids")):
        raise BadInput("swap puts in what it takes out; name another resource in one of them")
    if kind == "set_mastery" and given.get("value") is None:
        raise BadInput("set_mastery needs a value; write a number in [0, 1], such as 0.9")


def _names(given: object) -> tuple[object, ...]:
    return tuple(given) if isinstance(given, list | tuple) else ()
