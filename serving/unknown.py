"""Name what a request says that nobody here understands, and what was meant: a slip must not pass for an answer."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any

import msgspec
from starlette.requests import Request

from serving.errors import WrongShape

_UNKNOWN_FIELD = re.compile(r"^Object contains unknown field `(.*)`(?= - at|$)", re.DOTALL)
# So much alike that one is taken for a slip of the other.
_ALIKE = 0.7


def field_named(reason: str, shape: type[Any]) -> str:
    """What a decoder said, in words that help: an unknown field with the one that was meant, or with all there are.

    A name that resembles no field may be somebody's name, so it is never repeated, but where it is a field elsewhere.
    """
    found = _UNKNOWN_FIELD.match(reason)
    if found is None:
        return reason
    fields = [field.encode_name for field in msgspec.structs.fields(shape)]
    return f"{meant_of('field', found[1], fields)}{reason[found.end() :]}"


def require_known_parameters(request: Request) -> None:
    """Pass where this door takes every query parameter; raises WrongShape that names the one it does not take."""
    if not request.query_params:
        return
    takes = [p.alias for p in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in takes:
            raise WrongShape(f"{meant_of('query parameter', name, takes)}; see /openapi.json for the right ones")


def meant_of(what: str, given: str, known: Iterable[str]) -> str:
    """What is said of a name that is not known: the one that was meant, or all there are."""
    names = list(known)
    meant = get_close_matches(given.lower(), names, n=1, cutoff=_ALIKE)
    if meant:
        return f"unknown {what} {given}; did you mean {meant[0]}?"
    there_are = f"there are {', '.join(names)}" if names else "this address takes none"
    return f"unknown {what} {given}; {there_are}" if given in _fields() else f"there is an unknown {what}; {there_are}"


@cache
def _fields() -> frozenset[str]:
    """The names of all fields that any request or answer has."""
    found, todo = set[str](), [msgspec.Struct]
    while todo:
        shape = todo.pop()
        todo += shape.__subclasses__()
        if shape is not msgspec.Struct:
            found |= {field.encode_name for field in msgspec.structs.fields(shape)}
    return frozenset(found)
