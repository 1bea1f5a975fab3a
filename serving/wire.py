"""Between the wire and the nouns: bytes in, nouns out, and back."""

import ctypes
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from engine.domain.decision import Decision, Option, Request, Said
from engine.domain.errors import BadInput
from engine.domain.interaction import MAX_ID_BYTES, Interaction, usable_duration
from engine.domain.learner import Learner, SchoolClass
from serving.errors import NotJson, WrongShape
from serving.schemas import ChoiceIn, ClassIn, EventIn, FactsOut, Id, LearnerIn, OptionOut, RecommendationOut
from serving.unknown import field_named

Body = TypeVar("Body", bound=msgspec.Struct)
_encode = msgspec.json.Encoder().encode
_NOT_JSON = "the body is not JSON in UTF-8; send application/json"
_NO_NUMBER = "the body is not JSON: it has no NaN and no infinity; send null, or leave such a field out"


def decoded(content: bytes | msgspec.Raw, shape: type[Body]) -> Body:
    """The body in its shape; raises NotJson or WrongShape, whose words never repeat what was sent."""
    try:
        body: Body = _decoder(shape).decode(content)
        return body
    except msgspec.ValidationError as problem:
        _require_json(content)
        raise WrongShape(f"{field_named(str(problem), shape)}; see /openapi.json for the shape") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise NotJson(_NO_NUMBER if _is_no_number(bytes(content), problem) else _NOT_JSON) from None


def _is_no_number(content: bytes, problem: Exception) -> bool:
    """Whether reading stopped at what several languages write for a number that is none."""
    found = re.search(r"\(byte (\d+)\)", str(problem))
    return found is not None and re.compile(rb"-?(nan|inf)", re.IGNORECASE).match(content, int(found[1])) is not None


def _require_json(content: bytes | msgspec.Raw) -> None:
    """A wrong shape may be seen before the text breaks off: then it is no JSON, whatever its shape."""
    try:
        msgspec.json.decode(content)
    except msgspec.ValidationError:
        return
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotJson(_NOT_JSON) from None


@lru_cache(maxsize=32)
def _decoder(shape: type[Body]) -> msgspec.json.Decoder[Body]:
    return msgspec.json.Decoder(shape)


def interaction_in(event: EventIn, *, now: datetime, new_id: Callable[[bytes], str]) -> Interaction:
    """The event as it is kept. Without an `event_id`, `new_id` names it by its content and time."""
    if not event.kind:
        event = msgspec.structs.replace(event, kind="viewed" if event.outcome is None else "attempted")
    event_id = _id(event.event_id) or new_id(msgspec.json.encode(msgspec.structs.replace(event, at=event.at or now)))
    return Interaction(
        event_id=event_id,
        learner_id=str(event.learner_id),
        kind=event.kind or "",
        source=event.source,
        resource_id=_id(event.resource_id),
        at=utc(event.at),
        order=event.order,
        outcome=single(event.outcome),
        duration_s=usable_duration(single(event.duration_s)),
        item_id=_id(event.item_id),
        skills=event.skills,
        class_id=_id(event.class_id),
        decision_id=_id(event.decision_id),
        with_learner_ids=event.with_learner_ids,
        group_id=_id(event.group_id),
        value=event.value,
        voids=_id(event.voids),
    )


def request_in(learner_id: Id, asked: ChoiceIn) -> Request:
    """What the engine is asked for this learner; raises BadInput."""
    return Request(
        learner_id=valid_id(learner_id, "learner_id"),
        k=asked.k,
        objective=asked.objective,
        class_id=_id(asked.class_id),
        minutes=asked.minutes,
        minutes_ahead=asked.minutes_ahead,
        formats=asked.formats,
        candidates=None if asked.candidates is None else tuple(map(str, asked.candidates)),
        exclude=tuple(map(str, asked.exclude)),
        goal=None if asked.goal is None else tuple(dict.fromkeys(map(str, asked.goal))),
        explore=bool(asked.explore),
        seed=asked.seed,
        non_personalised=asked.non_personalised,
        again=asked.again,
    )


def learner_in(learner_id: str, given: LearnerIn) -> Learner:
    """The learner's record; raises BadInput."""
    return Learner(
        learner_id=valid_id(learner_id, "learner_id"),
        classes=given.classes,
        features=given.features,
        subgroups=given.subgroups,
        access_needs=given.access_needs,
        languages=given.languages,
        sharing=None if given.sharing is msgspec.UNSET else given.sharing,
    )


def class_in(class_id: str, given: ClassIn) -> SchoolClass:
    """The class's record; raises BadInput."""
    starts_at, ends_at = utc(given.starts_at), utc(given.ends_at)
    if starts_at and ends_at and ends_at < starts_at:
        raise BadInput("ends_at lies before starts_at; mend one of them")
    return SchoolClass(
        class_id=valid_id(class_id, "class_id"),
        course_id=_id(given.course_id),
        title=given.title,
        starts_at=starts_at,
        ends_at=ends_at,
    )


def recommendation_out(
    decision: Decision, *, seen_token: str, what_if: Mapping[str, tuple[Said, ...]] | None = None
) -> RecommendationOut:
    """The answer to a recommendation: the slate of the decision, unchanged, and what would be different by resource."""
    told = what_if or {}
    return RecommendationOut(
        decision_id=decision.decision_id,
        learner_id=decision.learner_id,
        mode=decision.mode,
        model_version=decision.bundle,
        slate=_slate_out(decision, told),
        rules=_rules_out(decision),
        flags=decision.flags,
        seen_token=seen_token,
        message=decision.message,
        conflict=decision.conflict,
        message_facts=None if decision.told is None else _facts_out(decision.told),
    )


def _rules_out(decision: Decision) -> Any:
    """The rules in the bytes they go out in: made once for a slate that is kept."""
    rules = decision.beside.get("wire")
    if rules is None:
        rules = decision.beside["wire"] = msgspec.Raw(_encode(decision.rules))
    return rules


def _slate_out(decision: Decision, told: Mapping[str, tuple[Said, ...]]) -> Any:
    """The options; their bytes, made once for the very options, where nothing more is to be told of them."""
    kept: tuple[tuple[Option, ...], Any] | None = decision.beside.get("slate")
    if not told and kept is not None and kept[0] is decision.slate:
        return kept[1]
    slate = [_option_out(option, told.get(option.resource_id, ())) for option in decision.slate]
    if not told:
        decision.beside["slate"] = decision.slate, msgspec.Raw(_encode(slate))
    return slate


def _option_out(option: Option, what_if: tuple[Said, ...]) -> OptionOut:
    return OptionOut(
        resource_id=option.resource_id,
        title=option.title,
        format=option.format,
        rank=option.rank,
        score=option.score,
        origin=option.origin,
        status=option.status,
        p_success=option.p_success,
        expected_minutes=option.expected_minutes,
        propensity=option.propensity,
        reasons=option.reasons,
        what_if=tuple([said.text for said in what_if]),
        due=option.due,
        what_if_facts=tuple([_facts_out(said) for said in what_if]),
    )


def _facts_out(said: Said) -> FactsOut:
    return FactsOut(said.code, said.facts)


def token_of(seq: int) -> str:
    """A `seen_token`: opaque to the apps that carry it."""
    return f"s{seq}"


def seq_of(token: str) -> int:
    """The `seq` of a `seen_token`; raises WrongShape where it is none of ours."""
    if not re.fullmatch(r"s[0-9]{1,18}", token):
        raise WrongShape("seen_token is not one that POST /v1/events gave; hand it on unchanged or leave it out")
    return int(token[1:])


def valid_id(x_id: str | int, name: str) -> str:
    """The id as text; raises BadInput."""
    text = str(x_id)
    if "\0" in text:
        raise BadInput(f"{name} holds a character that no database keeps (U+0000); leave it out")
    if not text.strip() or len(text.encode()) > MAX_ID_BYTES:
        raise BadInput(f"{name} must have 1 to {MAX_ID_BYTES} bytes; give a shorter one that is not empty")
    return text


def utc(at: datetime | None) -> datetime | None:
    """The moment in UTC, naive times are UTC; raises BadInput."""
    if at is None:
        return None
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        raise BadInput("a time lies outside the years 1 to 9999; mend it") from None


def single(number: float | None) -> float | None:
    """The nearest number of single precision, which is what the log keeps: store and log must not differ."""
    return None if number is None else ctypes.c_float(number).value


def _id(x_id: str | int | None) -> str | None:
    return x_id if x_id is None or x_id.__class__ is str else str(x_id)
