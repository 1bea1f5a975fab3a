"""The doors for a teacher's one-off changes."""

from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serving import effects, overrides
from serving.kept_rules import OVERRIDE
from serving.listing import Wanted
from serving.openapi import door
from serving.routes.doorway import answer
from serving.routes.kept import Drawer, Limit, created, match_in, office_of, tagged
from serving.schemas_rules import EffectOut, OverrideIn, OverrideOut, OverridesOut, OverrideVersionsOut
from serving.wire import decoded

router = APIRouter(tags=["overrides"])
_OVERRIDE = "/v1/overrides/{override_id:path}"
_drawer = Drawer(OVERRIDE, overrides.override_out)


@router.post("/v1/overrides", **door("Change something once", OverrideIn, OverrideOut, scope="rules", status=201))
async def post_override(request: Request) -> Response:
    """Pin, swap, hide, assign, set mastery, freeze or approve; it counts from the next answer on, on every server."""
    office = await office_of(request)
    given = decoded(await request.body(), OverrideIn)

    async def make() -> OverrideOut:
        return await _drawer.told(await overrides.override(given, office), office)

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
    wanted = Wanted(
        origin=OVERRIDE,
        class_id=class_id,
        learner_id=learner_id,
        verb=kind,
        in_force=in_force,
        cursor=cursor,
        limit=limit,
    )
    return answer(OverridesOut(*await _drawer.page(wanted, office)))


@router.get(f"{_OVERRIDE}/versions", **door("What an override was before", None, OverrideVersionsOut, scope="rules"))
async def get_override_versions(request: Request, override_id: str) -> Response:
    """All versions, oldest first, with who made each and when."""
    return await _drawer.versions(override_id, await office_of(request), OverrideVersionsOut)


@router.get(f"{_OVERRIDE}/effect", **door("What became of it", None, EffectOut, scope="rules"))
async def get_override_effect(request: Request, override_id: str) -> Response:
    """How many of its scope did it since, and how it went."""
    return answer(await effects.effect_of(override_id, await office_of(request), origin=OVERRIDE))


@router.post(f"{_OVERRIDE}/undo", **door("Take back the last change", None, OverrideOut, scope="rules"))
async def post_override_undo(request: Request, override_id: str) -> Response:
    """The version before is in force again; what was just made is ended, what was just ended is back."""
    office = await office_of(request)
    undo = partial(overrides.undo_override, override_id, office, match=match_in(request))
    return await _drawer.taken_back(request, office, undo)


@router.get(_OVERRIDE, **door("One override", None, OverrideOut, scope="rules"))
async def get_override(request: Request, override_id: str) -> Response:
    """Its last version, ended or not; the ETag names it."""
    return await _drawer.one(override_id, await office_of(request))


@router.put(_OVERRIDE, **door("Change an override", OverrideIn, OverrideOut, scope="rules"))
async def put_override(request: Request, override_id: str) -> Response:
    """Keep a new version; `If-Match` names the one that was read."""
    office = await office_of(request)
    given = decoded(await request.body(), OverrideIn)
    saved = await overrides.change(override_id, given, office, match=match_in(request))
    return tagged(answer(await _drawer.told(saved, office)), saved.kept.version)


@router.delete(_OVERRIDE, **door("End an override now", None, OverrideOut, scope="rules"))
async def delete_override(request: Request, override_id: str) -> Response:
    """It counts no more from the next answer on; its history stays, and undo brings it back."""
    office = await office_of(request)
    saved = await overrides.end_override(override_id, office, match=match_in(request))
    return tagged(answer(await _drawer.told(saved, office)), saved.kept.version)
