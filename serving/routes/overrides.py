"""The doors for a teacher's one-off changes."""

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serving import effects, overrides, rulebook
from serving.desk import Office, standing_now
from serving.kept_rules import OVERRIDE, rules_of
from serving.listing import Wanted, page_of
from serving.openapi import door
from serving.routes.doorway import answer, once
from serving.routes.rules import Limit, created, match_in, office_of, tagged
from serving.rulebook import Saved
from serving.schemas_rules import EffectOut, OverrideIn, OverrideOut, OverridesOut, OverrideVersionsOut
from serving.wire import decoded
from serving.wire_rules import is_in_force

router = APIRouter(tags=["overrides"])
_OVERRIDE = "/v1/overrides/{override_id:path}"


@router.post("/v1/overrides", **door("Change something once", OverrideIn, OverrideOut, scope="rules", status=201))
async def post_override(request: Request) -> Response:
    """Pin, swap, hide, assign, set mastery, freeze or approve; it counts from the next answer on, on every server."""
    office = await office_of(request)
    given = decoded(await request.body(), OverrideIn)

    async def make() -> OverrideOut:
        return await _told(await overrides.override(given, office), office)

    return await created(request, office, make, named="override_id")


@router.get("/v1/overrides", **door("All overrides", None, OverridesOut, scope="rules"))
async def get_overrides(
    request: Request,
    class_id: str | None = None,
    learner_id: str | None = None,
    kind: str | None = None,
    in_force: bool | None = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> Response:
    """One page, by id: overrides for a class or a learner, of a kind, in force now or not."""
    office = await office_of(request)
    standing = await standing_now(office)
    wanted = Wanted(
        origin=OVERRIDE,
        class_id=class_id,
        learner_id=learner_id,
        verb=kind,
        in_force=in_force,
        cursor=cursor,
        limit=limit,
    )
    page, following = await page_of(
        wanted, office, lambda kept: is_in_force(kept, rules_of(kept, standing.zone), standing, office.now)
    )
    return answer(OverridesOut([overrides.override_out(kept, standing, now=office.now) for kept in page], following))


@router.get(f"{_OVERRIDE}/versions", **door("What an override was before", None, OverrideVersionsOut, scope="rules"))
async def get_override_versions(request: Request, override_id: str) -> Response:
    """All versions, oldest first, with who made each and when."""
    office = await office_of(request)
    last = await rulebook.found(override_id, office, origin=OVERRIDE)
    standing = await standing_now(office)
    versions = await office.store.rules.versions(office.tenant, override_id)
    body = OverrideVersionsOut([overrides.override_out(v, standing, now=office.now) for v in versions])
    return tagged(answer(body), last.version)


@router.get(f"{_OVERRIDE}/effect", **door("What became of it", None, EffectOut, scope="rules"))
async def get_override_effect(request: Request, override_id: str) -> Response:
    """How many of its scope did it since, and how it went."""
    return answer(await effects.effect_of(override_id, await office_of(request), origin=OVERRIDE))


@router.post(f"{_OVERRIDE}/undo", **door("Take back the last change", None, OverrideOut, scope="rules"))
async def post_override_undo(request: Request, override_id: str) -> Response:
    """The version before is in force again; what was just made is ended, what was just ended is back."""
    office = await office_of(request)

    async def take_back() -> OverrideOut:
        return await _told(await overrides.undo_override(override_id, office, match=match_in(request)), office)

    response = await once(request, office.tenant, take_back)
    return tagged(response, msgspec.json.decode(response.body)["version"])


@router.get(_OVERRIDE, **door("One override", None, OverrideOut, scope="rules"))
async def get_override(request: Request, override_id: str) -> Response:
    """Its last version, ended or not; the ETag names it."""
    office = await office_of(request)
    kept = await rulebook.found(override_id, office, origin=OVERRIDE)
    return tagged(answer(overrides.override_out(kept, await standing_now(office), now=office.now)), kept.version)


@router.put(_OVERRIDE, **door("Change an override", OverrideIn, OverrideOut, scope="rules"))
async def put_override(request: Request, override_id: str) -> Response:
    """Keep a new version; `If-Match` names the one that was read."""
    office = await office_of(request)
    given = decoded(await request.body(), OverrideIn)
    saved = await overrides.change(override_id, given, office, match=match_in(request))
    return tagged(answer(await _told(saved, office)), saved.kept.version)


@router.delete(_OVERRIDE, **door("End an override now", None, OverrideOut, scope="rules"))
async def delete_override(request: Request, override_id: str) -> Response:
    """It counts no more from the next answer on; its history stays, and undo brings it back."""
    office = await office_of(request)
    saved = await overrides.end_override(override_id, office, match=match_in(request))
    return tagged(answer(await _told(saved, office)), saved.kept.version)


async def _told(saved: Saved, office: Office) -> OverrideOut:
    standing = saved.sight.in_force if saved.sight is not None else await standing_now(office)
    return overrides.override_out(saved.kept, standing, now=office.now, warnings=saved.warnings)
