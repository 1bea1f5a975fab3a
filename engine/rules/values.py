"""The forms of a verb's value: what is wrong with one, its JSON Schema, its words, and its typed reading."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.domain.rule import Rule
from engine.rules.times import is_time

MAX_FACTOR = 100.0
_SIZE = re.compile(r"^[1-9][0-9]{0,3}(-[1-9][0-9]{0,3})?$")
_NUMBER = {"type": "number", "minimum": 0}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _keys(value: object, allowed: tuple[str, ...], fits: Callable[[object], bool]) -> bool:
    return isinstance(value, dict) and bool(value) and all(k in allowed and fits(v) for k, v in value.items())


def _is_factor(value: object) -> bool:
    return _is_number(value) and 0 < float(str(value)) <= MAX_FACTOR and value != 1


def _is_band(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and 0 <= value[0] < value[1] <= 1


def _is_minutes(value: object) -> bool:
    return _keys(value, ("day", "week"), lambda v: _is_number(v) and float(str(v)) >= 0)


def _is_bounds(value: object) -> bool:
    if not _keys(value, ("floor", "ceiling"), lambda v: _is_number(v) and float(str(v)) >= 0):
        return False
    bounds = value if isinstance(value, dict) else {}
    return bool(bounds.get("floor", 0) <= bounds.get("ceiling", math.inf))


def _is_quotas(value: object) -> bool:
    def is_of_formats(named: object) -> bool:
        return (
            isinstance(named, dict)
            and bool(named)
            and all(isinstance(f, str) and f and _is_count(n) for f, n in named.items())
        )

    if not _keys(value, ("min", "max"), is_of_formats):
        return False
    least, most = (value.get(side, {}) if isinstance(value, dict) else {} for side in ("min", "max"))
    return all(n <= most.get(f, math.inf) for f, n in least.items())


def _is_share(value: object) -> bool:
    return _is_number(value) and 0 <= float(str(value)) <= 1


def _is_size(value: object) -> bool:
    if _is_count(value):
        return value != 0
    if not isinstance(value, str) or not _SIZE.match(value):
        return False
    ends = [int(n) for n in value.split("-")]
    return ends[0] <= ends[-1]


def _is_due(value: object) -> bool:
    return _keys(value, ("due",), is_time)


@dataclass(frozen=True, slots=True)
class Form:
    """Whether a value fits, what to write instead, its JSON Schema, and how it is said."""

    fits: Callable[[object], bool]
    write: str
    schema: dict[str, object]
    said: Callable[[object], str]


def _object(*names: str, of: object = _NUMBER) -> dict[str, object]:
    return {
        "type": "object", "properties": dict.fromkeys(names, of), "additionalProperties": False, "minProperties": 1,
    }  # fmt: skip


def _pairs(value: object, form: str) -> str:
    return " and ".join(form.format(k, v) for k, v in value.items()) if isinstance(value, dict) else ""


def _said_quotas(value: object) -> str:
    parts = [
        f"{'at least' if side == 'min' else 'at most'} {n} {name}"
        for side, named in (value.items() if isinstance(value, dict) else ())
        for name, n in named.items()
    ]
    return ", ".join(parts)


_COUNTS: dict[str, object] = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"minLength": 1},
    "additionalProperties": {"type": "integer", "minimum": 0},
}
FORMS = {
    "factor": Form(
        _is_factor,
        f"a number above 0 and up to {MAX_FACTOR:.0f} that is not 1, such as 2 for twice",
        {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_FACTOR, "not": {"const": 1}},
        lambda v: f"a factor of {v}",
    ),
    "band": Form(
        _is_band,
        "two numbers in [0, 1], the lower first, such as [0.6, 0.9]",
        {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}, "minItems": 2, "maxItems": 2},
        lambda v: "{:.0%} to {:.0%}".format(*v) if isinstance(v, list) else "",
    ),
    "minutes": Form(
        _is_minutes,
        "minutes a day, a week or both, such as {day: 30}",
        _object("day", "week"),
        lambda v: _pairs(v, "{1} minutes a {0}"),
    ),
    "bounds": Form(
        _is_bounds,
        "minutes a week, floor not above ceiling, such as {floor: 60, ceiling: 180}",
        _object("floor", "ceiling"),
        lambda v: _pairs(v, "a {0} of {1} minutes a week"),
    ),
    "quotas": Form(
        _is_quotas,
        "whole numbers for formats, min not above max, such as {min: {project: 1}, max: {video: 2}}",
        _object("min", "max", of=_COUNTS),
        _said_quotas,
    ),
    "share": Form(
        _is_share,
        "a number in [0, 1], such as 0.9",
        {"type": "number", "minimum": 0, "maximum": 1},
        lambda v: f"{float(str(v)):.0%}",
    ),
    "size": Form(
        _is_size,
        'a number or a range, the lower first, such as 4 or "3-5"',
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": _SIZE.pattern}]},
        str,
    ),
    "count": Form(_is_count, "a whole number from 0 on, such as 2", {"type": "integer", "minimum": 0}, str),
    "due": Form(
        _is_due,
        "{due: DATE} with an ISO date or timestamp, or leave it out",
        {**_object("due", of={"type": "string"}), "required": ["due"]},
        lambda v: _pairs(v, ", due {1}"),
    ),
}


def lift_of(rule: Rule) -> float:
    """What a boost adds or a demotion takes off, in units of the scores' scale; 2 and 0.5 mean the same to either.

    Both by the same logarithm, so that one undoes the other to the last bit.
    """
    lift = abs(math.log(float(str(rule.value))))
    return lift if rule.verb == "boost" else -lift


def band_of(rule: Rule) -> tuple[float, float]:
    """The ends of a success band, both inside."""
    low, high = rule.value if isinstance(rule.value, list) else (0.0, 1.0)
    return float(low), float(high)


def named_of(rule: Rule) -> Mapping[str, float]:
    """Minutes by `day` and `week`, or by `floor` and `ceiling`."""
    return {k: float(v) for k, v in rule.value.items()} if isinstance(rule.value, dict) else {}


def quotas_of(rule: Rule) -> Mapping[tuple[str, str], int]:
    """How many of a format, by side (`min` or `max`) and format."""
    given = rule.value if isinstance(rule.value, dict) else {}
    return {(side, name): int(n) for side, named in given.items() for name, n in named.items()}


def size_of(rule: Rule) -> tuple[int, int]:
    """The smallest and the largest group."""
    ends = [int(n) for n in str(rule.value).split("-")]
    return ends[0], ends[-1]


def due_of(rule: Rule) -> str | None:
    """The ISO date or timestamp by which assigned work is due."""
    return str(rule.value["due"]) if isinstance(rule.value, dict) and "due" in rule.value else None
