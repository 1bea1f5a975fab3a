"""Resources on the wire: what an app sends of one, with every mistake in it told at once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from engine.domain.errors import BadInput
from engine.domain.resource import Resource
from serving.errors import NotJson, WrongShape
from serving.schemas import Id, OneResourceIn, ResourceIn, ResourcePatchIn
from serving.unknown import field_named
from serving.wire import decoded, single, utc, valid_id

Body = TypeVar("Body", bound=msgspec.Struct)
Made = TypeVar("Made")


def resource_of(content: bytes | msgspec.Raw) -> Resource:
    """One resource of a set, which names itself; raises BadInput with all that is wrong with it."""
    return _made(content, ResourceIn, lambda given: _resource(given, given.resource_id), None)


def resource_put(content: bytes, resource_id: str) -> Resource:
    """The resource of this id, as it is put alone; raises BadInput with all that is wrong with it."""
    return _made(content, OneResourceIn, lambda given: _resource(given, resource_id), resource_id)


def resource_changed(content: bytes, resource_id: str) -> Callable[[Resource], Resource]:
    """What a merge patch makes of the resource of this id; raises BadInput with all that is wrong with the patch."""

    def merging(given: ResourcePatchIn) -> Callable[[Resource], Resource]:
        said = {name: value for name in given.__struct_fields__ if (value := getattr(given, name)) is not UNSET}
        put = OneResourceIn(**{name: value for name, value in said.items() if value is not None})
        changes = _resource(put, resource_id)
        return lambda before: replace(before, **{name: getattr(changes, name) for name in said})

    return _made(content, ResourcePatchIn, merging, resource_id)


def _resource(given: OneResourceIn, x_id: Id) -> Resource:
    """The resource as it is kept; raises BadInput."""
    resource_id = valid_id(x_id, "resource_id")
    _require_same(given.resource_id, resource_id)
    return Resource(
        resource_id=resource_id,
        title=given.title or resource_id,
        format=given.format,
        skills=given.skills,
        minutes=single(given.minutes),
        position=given.position,
        language=given.language,
        grade_min=given.grade_min,
        grade_max=given.grade_max,
        tags=given.tags,
        access=given.access,
        available_from=utc(given.available_from),
        available_until=utc(given.available_until),
        url=given.url,
    )


def _require_same(given: Id | UnsetType, resource_id: str) -> None:
    """An id in the body may only repeat the address: another one would make it another resource."""
    if given is not UNSET and str(given) != resource_id:
        raise BadInput("resource_id in the body is not the one in the address; leave it out")


def _made(
    content: bytes | msgspec.Raw, shape: type[Body], make: Callable[[Body], Made], resource_id: str | None
) -> Made:
    """What is made of the body; raises NotJson, or BadInput with all that is wrong with it or its id."""
    try:
        return make(decoded(content, shape))
    except NotJson:
        raise
    except BadInput as first:
        wrong = _mistakes(content, shape, resource_id)
        if len(wrong) < 2:
            raise
        raise WrongShape(f"{'; '.join(wrong)}; see /openapi.json for the shape") from first


def _mistakes(content: bytes | msgspec.Raw, shape: type[msgspec.Struct], resource_id: str | None) -> list[str]:
    """What is wrong with each field on its own, and which are missing; nothing for what is no object at all."""
    try:
        fields = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return []
    wrong = [] if resource_id is None else _told(lambda: valid_id(resource_id, "resource_id"))
    for name, value in fields.items():
        try:
            alone = msgspec.json.decode(msgspec.json.encode({name: value}), type=_each_alone(shape))
        except msgspec.ValidationError as problem:
            wrong.append(field_named(str(problem), shape))
        else:
            wrong += _wrong_with(getattr(alone, name, None), name, resource_id)
    missing = [f.encode_name for f in msgspec.structs.fields(shape) if f.required and f.encode_name not in fields]
    return list(dict.fromkeys([*wrong, *(f"Object missing required field `{name}`" for name in missing)]))


def _wrong_with(value: object, name: str, resource_id: str | None) -> list[str]:
    """What no shape can say of one field."""
    if isinstance(value, datetime):
        return _told(lambda: utc(value))
    if name != "resource_id" or not isinstance(value, str | int):
        return []
    return _told(lambda: valid_id(value, name) if resource_id is None else _require_same(value, resource_id))


def _told(make: Callable[[], object]) -> list[str]:
    try:
        make()
    except BadInput as problem:
        return [str(problem)]
    return []


@lru_cache(maxsize=8)
def _each_alone(shape: type[msgspec.Struct]) -> type[Any]:
    """The same shape with nothing required."""
    fields = [(f.name, f.type, None) for f in msgspec.structs.fields(shape)]
    strict = shape.__struct_config__.forbid_unknown_fields
    return msgspec.defstruct(shape.__name__, fields, kw_only=True, forbid_unknown_fields=strict)
