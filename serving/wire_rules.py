"""Between the wire and teachers' rules: JSON or YAML in, drafts out, and what is kept back to the wire."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from engine.domain.errors import BadInput
from engine.domain.history import microseconds
from engine.domain.rule import Rule
from engine.rules.language import FIELDS, Plain, plain_of, rule_of
from engine.rules.times import window
from engine.rules.words import said
from serving.current_rules import InForce
from serving.desk import Office
from serving.errors import NotJson, ProblemWithRule, WrongShape
from serving.kept_rules import RULE, record_of, rules_of
from serving.overriding import PREFIX
from serving.rulebook import Draft
from serving.schemas_rules import PreviewIn, RuleOut
from serving.storage.port import KeptRule
from serving.wire import decoded

# Reading YAML takes its time; a rule this long can be sent as JSON.
_MOST_YAML = 65_536
# What the server says of a rule beside the rule: whoever sends back what they read may leave it in.
_SAID = frozenset({f.encode_name for f in msgspec.structs.fields(RuleOut)} - set(FIELDS))
# These would stand where doors are.
_DOORS = ("preview", "schema")


def plain_in(content: bytes, content_type: str | None) -> Plain:
    """The object in the body, JSON or, where the content type says so, YAML; raises NotJson or WrongShape."""
    is_yaml = "yaml" in (content_type or "").split(";")[0]
    read = _yaml(content) if is_yaml else _json(content)
    if not isinstance(read, dict):
        raise WrongShape("a rule is an object with at least id, verb and what; send one")
    return {str(name): value for name, value in read.items()}


def preview_in(plain: Plain) -> tuple[Plain, int]:
    """The draft and how many options are shown; a draft may also stand alone."""
    if "rule" not in plain and "k" in plain and "verb" not in plain:
        raise WrongShape('rule is missing: send {"rule": {…}, "k": 5}, or the rule alone')
    if "rule" not in plain or "verb" in plain:
        return plain, 5
    rule = plain["rule"]
    if not isinstance(rule, dict):
        raise WrongShape("rule is an object with at least id, verb and what; send one")
    beside = {name: value for name, value in plain.items() if name != "rule"}
    k = decoded(msgspec.json.encode({"rule": {"id": "x", "verb": "x"}, **beside}), PreviewIn).k
    return {str(name): value for name, value in rule.items()}, k


def draft_of(plain: Plain, office: Office, *, rule_id: str | None = None) -> Draft:
    """The draft of a rule; the id in the address counts, and one in the body must be the same.

    Raises:
        BadInput: every mistake in it, one sentence each.
    """
    given = {name: value for name, value in plain.items() if name not in _SAID}
    if rule_id is not None and str(given.setdefault("id", rule_id)) != rule_id:
        raise BadInput("id is not the one in the address; leave it out, or send the rule to its own address")
    rule = rule_of(given, zone=office.rules.zone)
    if rule.rule_id.startswith(PREFIX) or rule.rule_id in _DOORS:
        raise BadInput(f"ids that begin with {PREFIX}, and {' and '.join(_DOORS)}, are taken; give the rule another id")
    now = office.now.astimezone(UTC).isoformat()
    author = rule.author or office.author
    rule = replace(rule, author=author, version=1, created_at=now, updated_at=now)
    return Draft(
        rule_id=rule.rule_id, origin=RULE, verb=rule.verb, record=record_of(rule), rules=(rule,), author=author
    )


def rule_out(
    kept: KeptRule, in_force: InForce, *, now: datetime, warnings: tuple[ProblemWithRule, ...] = ()
) -> RuleOut:
    """One version of a rule as it is told."""
    (rule,) = rules_of(kept, in_force.zone)
    plain: dict[str, Any] = plain_of(rule)
    plain["starts"] = plain.pop("from")
    plain |= {"created_at": kept.created_at, "updated_at": kept.at}
    return RuleOut(
        **plain,
        action=kept.action,
        ended_at=kept.ended_at,
        in_force=is_in_force(kept, (rule,), in_force, now),
        says=says([rule], in_force),
        warnings=warnings,
    )


def is_in_force(kept: KeptRule, rules: Sequence[Rule], in_force: InForce, now: datetime) -> bool:
    """Whether it holds at this moment."""
    begins, ends = window(rules[0], in_force.zone)
    return kept.ended_at is None and begins <= microseconds(now) < ends


def says(rules: Iterable[Rule], in_force: InForce) -> str:
    """What rules ask for, in a teacher's words, with the titles and the learners they name: who asks may read them."""
    contents, recommender = in_force.book.contents, in_force.recommender
    told = []
    for rule in rules:
        rows = {x: contents.resource_map.row(x) for x in rule.what.resources}
        titles = {x: contents.title(row) for x, row in rows.items() if row >= 0}
        skills = {s: recommender.titles[s] for s in rule.what.skills if s in recommender.titles}
        told.append(said(rule, {**skills, **titles}, with_learners=True))
    return "; ".join(told)


def _json(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotJson("the body is not JSON in UTF-8; send application/json, or application/yaml for YAML") from None


def _yaml(content: bytes) -> Any:
    # Imported only where somebody sends YAML.
    import yaml

    class Plainly(yaml.SafeLoader):
        """Without aliases, with which a short text can stand for an endless one."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("alias")
            return super().compose_node(parent, index)

    # Dates stay text, as in JSON: a day that is none is then told like any other mistake.
    Plainly.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    if len(content) > _MOST_YAML:
        raise WrongShape(f"YAML may have {_MOST_YAML} bytes; send a longer rule as JSON")
    try:
        # A subclass of the safe loader: it makes nothing but plain values.
        read = yaml.load(content, Plainly)  # noqa: S506
        # What JSON cannot say (a set, binary, a number without an end) is no part of a rule either.
        json.dumps(read, default=_is_time, allow_nan=False)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        raise NotJson("the body is not plain YAML (without aliases and tags); mend it, or send JSON") from None
    return read


def _is_time(value: object) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    raise TypeError
