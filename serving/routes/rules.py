"""The doors for teachers' rules."""

from functools import partial

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from engine.rules.schema import schema
from serving import effects, previewing, rulebook
from serving.kept_rules import RULE
from serving.listing import Wanted
from serving.openapi import door
from serving.routes.doorway import answer, once
from serving.routes.kept import Drawer, Limit, created, match_in, office_of, tagged
from serving.schemas_rules import (
    EffectOut,
    PreviewIn,
    PreviewOut,
    RuleIn,
    RuleOut,
    RulesOut,
    RuleVersionsOut,
)
from serving.wire_rules import draft_of, plain_in, preview_in, rule_out

router = APIRouter(tags=["rules"])
_RULE = "/v1/rules/{rule_id:path}"
_drawer = Drawer(RULE, rule_out)


@router.post("/v1/rules", **door("Make a rule", RuleIn, RuleOut, scope="rules", status=201))
async def post_rule(request: Request) -> Response:
    """Keep a new rule, in JSON or YAML; it counts from the next answer on, on every server."""
    office = await office_of(request)
    draft = draft_of(plain_in(await request.body(), request.headers.get("content-type")), office)

    async def make() -> RuleOut:
        return await _drawer.told(await rulebook.create(draft, office), office)

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
    wanted = Wanted(
        origin=RULE, class_id=class_id, learner_id=learner_id, verb=verb, in_force=in_force, cursor=cursor, limit=limit
    )
    return answer(RulesOut(*await _drawer.page(wanted, office)))


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
    return await _drawer.versions(rule_id, await office_of(request), RuleVersionsOut)


@router.get(f"{_RULE}/effect", **door("What became of what a rule put in", None, EffectOut, scope="rules"))
async def get_effect(request: Request, rule_id: str) -> Response:
    """How many of its scope did it since, and how it went."""
    return answer(await effects.effect_of(rule_id, await office_of(request), origin=RULE))


@router.post(f"{_RULE}/undo", **door("Take back the last change", None, RuleOut, scope="rules"))
async def post_undo(request: Request, rule_id: str) -> Response:
    """The version before is in force again; what was just made is ended, what was just ended is back."""
    office = await office_of(request)
    undo = partial(rulebook.undo, rule_id, office, origin=RULE, match=match_in(request))
    return await _drawer.taken_back(request, office, undo)


@router.get(_RULE, **door("One rule", None, RuleOut, scope="rules"))
async def get_rule(request: Request, rule_id: str) -> Response:
    """Its last version, ended or not; the ETag names it."""
    return await _drawer.one(rule_id, await office_of(request))


@router.put(_RULE, **door("Change a rule", RuleIn, RuleOut, scope="rules"))
async def put_rule(request: Request, rule_id: str) -> Response:
    """Keep a new version; `If-Match` names the one that was read. What is not there yet is made."""
    office = await office_of(request)
    plain = plain_in(await request.body(), request.headers.get("content-type"))
    saved = await rulebook.put(draft_of(plain, office, rule_id=rule_id), office, match=match_in(request))
    status = 200 if saved.before is not None else 201
    return tagged(answer(await _drawer.told(saved, office), status=status), saved.kept.version)


@router.delete(_RULE, **door("End a rule now", None, RuleOut, scope="rules"))
async def delete_rule(request: Request, rule_id: str) -> Response:
    """It counts no more from the next answer on; its history stays, and undo brings it back."""
    office = await office_of(request)
    saved = await rulebook.end(rule_id, office, origin=RULE, match=match_in(request))
    return tagged(answer(await _drawer.told(saved, office)), saved.kept.version)
