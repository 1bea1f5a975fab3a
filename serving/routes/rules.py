"""The doors for teachers' rules."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from engine.rules.schema import schema
from serving import effects, previewing, rulebook
from serving.desk import Office, standing_now
from serving.house import house_of
from serving.kept_rules import RULE, rules_of
from serving.listing import Wanted, page_of
from serving.openapi import door
from serving.routes.doorway import answer, key_of, once
from serving.rulebook import Match, Saved
from serving.schemas_rules import (
    MAX_PAGE,
    EffectOut,
    PreviewIn,
    PreviewOut,
    RuleIn,
    RuleOut,
    RulesOut,
    RuleVersionsOut,
)
from serving.wire_rules import draft_of, is_in_force, plain_in, preview_in, rule_out

router = APIRouter(tags=["rules"])
_RULE = "/v1/rules/{rule_id:path}"
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


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


@router.post("/v1/rules", **door("Make a rule", RuleIn, RuleOut, scope="rules", status=201))
async def post_rule(request: Request) -> Response:
    """Keep a new rule, in JSON or YAML; it counts from the next answer on, on every server."""
    office = await office_of(request)
    draft = draft_of(plain_in(await request.body(), request.headers.get("content-type")), office)

    async def make() -> RuleOut:
        return await told(await rulebook.create(draft, office), office)

    return await created(request, office, make, named="id")


@router.get("/v1/rules", **door("All rules", None, RulesOut, scope="rules"))
async def get_rules(
    request: Request,
    class_id: str | None = None,
    learner_id: str | None = None,
    verb: str | None = None,
    in_force: bool | None = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> Response:
    """One page, by id: rules for a class or a learner, of a verb, in force now or not."""
    office = await office_of(request)
    standing = await standing_now(office)
    wanted = Wanted(
        origin=RULE, class_id=class_id, learner_id=learner_id, verb=verb, in_force=in_force, cursor=cursor, limit=limit
    )
    page, following = await page_of(
        wanted, office, lambda kept: is_in_force(kept, rules_of(kept, standing.zone), standing, office.now)
    )
    return answer(RulesOut([rule_out(kept, standing, now=office.now) for kept in page], following))


@router.post("/v1/rules/preview", **door("What a rule would change", PreviewIn, PreviewOut, scope="rules"))
async def post_preview(request: Request) -> Response:
    """For each learner of its scope what leaves, enters and moves; nothing is saved."""
    office = await office_of(request)
    plain, k = preview_in(plain_in(await request.body(), request.headers.get("content-type")))
    draft = draft_of(plain, office)
    return await once(request, office.tenant, lambda: previewing.preview(draft, office, k=k))


@router.get("/v1/rules/schema", summary="The JSON Schema of a rule (scope rules)")
async def get_schema(request: Request) -> Response:
    """The form of a rule, with what each verb may name and needs."""
    await office_of(request)
    return Response(msgspec.json.encode(schema()), media_type="application/schema+json")


@router.get(f"{_RULE}/versions", **door("What a rule said before", None, RuleVersionsOut, scope="rules"))
async def get_versions(request: Request, rule_id: str) -> Response:
    """All versions, oldest first, with who made each and when."""
    office = await office_of(request)
    last = await rulebook.found(rule_id, office, origin=RULE)
    standing = await standing_now(office)
    versions = await office.store.rules.versions(office.tenant, rule_id)
    body = RuleVersionsOut([rule_out(v, standing, now=office.now) for v in versions])
    return tagged(answer(body), last.version)


@router.get(f"{_RULE}/effect", **door("What became of what a rule put in", None, EffectOut, scope="rules"))
async def get_effect(request: Request, rule_id: str) -> Response:
    """How many of its scope did it since, and how it went."""
    return answer(await effects.effect_of(rule_id, await office_of(request), origin=RULE))


@router.post(f"{_RULE}/undo", **door("Take back the last change", None, RuleOut, scope="rules"))
async def post_undo(request: Request, rule_id: str) -> Response:
    """The version before is in force again; what was just made is ended, what was just ended is back."""
    office = await office_of(request)

    async def take_back() -> RuleOut:
        return await told(await rulebook.undo(rule_id, office, origin=RULE, match=match_in(request)), office)

    response = await once(request, office.tenant, take_back)
    return tagged(response, msgspec.json.decode(response.body)["version"])


@router.get(_RULE, **door("One rule", None, RuleOut, scope="rules"))
async def get_rule(request: Request, rule_id: str) -> Response:
    """Its last version, ended or not; the ETag names it."""
    office = await office_of(request)
    kept = await rulebook.found(rule_id, office, origin=RULE)
    return tagged(answer(rule_out(kept, await standing_now(office), now=office.now)), kept.version)


@router.put(_RULE, **door("Change a rule", RuleIn, RuleOut, scope="rules"))
async def put_rule(request: Request, rule_id: str) -> Response:
    """Keep a new version; `If-Match` names the one that was read. What is not there yet is made."""
    office = await office_of(request)
    plain = plain_in(await request.body(), request.headers.get("content-type"))
    saved = await rulebook.put(draft_of(plain, office, rule_id=rule_id), office, match=match_in(request))
    status = 200 if saved.before is not None else 201
    return tagged(answer(await told(saved, office), status=status), saved.kept.version)


@router.delete(_RULE, **door("End a rule now", None, RuleOut, scope="rules"))
async def delete_rule(request: Request, rule_id: str) -> Response:
    """It counts no more from the next answer on; its history stays, and undo brings it back."""
    office = await office_of(request)
    saved = await rulebook.end(rule_id, office, origin=RULE, match=match_in(request))
    return tagged(answer(await told(saved, office)), saved.kept.version)


async def told(saved: Saved, office: Office) -> RuleOut:
    """What is kept now, in words with titles."""
    standing = saved.sight.in_force if saved.sight is not None else await standing_now(office)
    return rule_out(saved.kept, standing, now=office.now, warnings=saved.warnings)
