"""What the doors for rules and for overrides answer alike: one, a page, its versions, what was taken back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import quote

import msgspec
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from serving import rulebook
from serving.desk import Office, standing_now
from serving.house import house_of
from serving.kept_rules import rules_of
from serving.listing import Wanted, page_of
from serving.routes.doorway import answer, key_of, once
from serving.rulebook import Match, Saved
from serving.schemas_rules import MAX_PAGE
from serving.storage.port import KeptRule
from serving.wire_rules import is_in_force

Out = TypeVar("Out")
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


@dataclass(frozen=True, slots=True)
class Drawer(Generic[Out]):
    """Kept rules of one origin; `out` makes the answer of one."""

    origin: str
    out: Callable[..., Out]

    async def told(self, saved: Saved, office: Office) -> Out:
        """What is kept now, in words with titles."""
        standing = saved.sight.in_force if saved.sight is not None else await standing_now(office)
        return self.out(saved.kept, standing, now=office.now, warnings=saved.warnings)

    async def one(self, x_id: str, office: Office) -> Response:
        """Its last version, ended or not."""
        kept = await rulebook.found(x_id, office, origin=self.origin)
        return tagged(answer(self.out(kept, await standing_now(office), now=office.now)), kept.version)

    async def page(self, wanted: Wanted, office: Office) -> tuple[list[Out], str | None]:
        """One page and what gets the next one."""
        standing = await standing_now(office)

        def is_standing(kept: KeptRule) -> bool:
            return is_in_force(kept, rules_of(kept, standing.zone), standing, office.now)

        page, following = await page_of(wanted, office, is_standing)
        return [self.out(kept, standing, now=office.now) for kept in page], following

    async def versions(self, x_id: str, office: Office, body: Callable[[list[Out]], Any]) -> Response:
        """All of them, oldest first."""
        last = await rulebook.found(x_id, office, origin=self.origin)
        standing = await standing_now(office)
        versions = await office.store.rules.versions(office.tenant, x_id)
        return tagged(answer(body([self.out(v, standing, now=office.now) for v in versions])), last.version)

    async def taken_back(self, request: Request, office: Office, undo: Callable[[], Awaitable[Saved]]) -> Response:
        """What stands again, once for each `Idempotency-Key`."""

        async def take_back() -> Out:
            return await self.told(await undo(), office)

        response = await once(request, office.tenant, take_back)
        return tagged(response, msgspec.json.decode(response.body)["version"])


async def office_of(request: Request) -> Office:
    """Where the key's school writes its rules; raises as `key_of` does."""
    key = await key_of(request, scope="rules")
    house = house_of(request.scope)
    return Office(
        tenant=key.tenant,
        author=key.key_id,
        store=house.store,
        bundles=house.bundles,
        rules=house.rules,
        approvals=house.approvals,
        now=house.clock(),
    )


def match_in(request: Request) -> Match:
    """What the caller says of the version they saw."""
    return Match(if_match=request.headers.get("if-match"), if_none_match=request.headers.get("if-none-match"))


def tagged(response: Response, version: int, *, location: str | None = None) -> Response:
    """The answer with the tag of the version it tells of."""
    response.headers["ETag"] = f'"{version}"'
    if location is not None:
        response.headers["Location"] = location
    return response


async def created(request: Request, office: Office, work: Callable[[], Awaitable[Any]], *, named: str) -> Response:
    """201 for what was made, once for each `Idempotency-Key`, with its tag and its address; `named` is its id."""
    response = await once(request, office.tenant, work, status=201)
    made = msgspec.json.decode(response.body)
    place = f"{request.url.path}/{quote(made[named], safe='')}"
    return tagged(response, made["version"], location=place)
