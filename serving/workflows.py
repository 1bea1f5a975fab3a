"""What can be asked of Trailmate, one function each; what it needs are its arguments."""

from datetime import datetime

import msgspec

from engine.domain.errors import BadInput, TrailmateError, Unknown
from engine.domain.resource import Resource
from serving.batch import Batch
from serving.current_bundle import CurrentBundle
from serving.schemas import (
    EventsOut,
    RejectedOut,
    ResourcesIn,
    ResourcesOut,
)
from serving.storage.acts import Act
from serving.storage.offered import CatalogueStore
from serving.storage.port import EventStore, Store
from serving.wire import token_of, valid_id
from serving.wire_resource import resource_changed, resource_of, resource_put


async def append_events(batch: Batch, *, tenant: str, events: EventStore, now: datetime) -> EventsOut:
    """Keep the good events of a batch; when this returns they are on disk."""
    kept = await events.append(tenant, batch.good, stamp=now)
    rejected = batch.rejected
    if kept.rejected:
        rejected = [*rejected, *(RejectedOut(batch.places[i], reason) for i, reason in kept.rejected)]
        rejected.sort(key=lambda r: r.index)
    return EventsOut(
        accepted=kept.accepted, duplicates=kept.duplicates, rejected=rejected, seen_token=token_of(kept.seq)
    )


async def sync_resources(
    whole: ResourcesIn, *, tenant: str, catalogue: CatalogueStore, act: Act, dry_run: bool
) -> ResourcesOut:
    """Make this the whole offer. A rejected resource stays as it was: a slip of the pen withdraws nothing."""
    good: dict[str, Resource] = {}
    rejected: list[RejectedOut] = []
    keep: set[str] = set()
    for index, raw in enumerate(whole.resources):
        try:
            resource = resource_of(raw)
        except BadInput as problem:
            rejected.append(RejectedOut(index, str(problem)))
            keep.add(_legible_id(raw))
            continue
        if good.setdefault(resource.resource_id, resource) is not resource:
            rejected.append(RejectedOut(index, "resource_id stands in the set before; give each resource once"))
    counts = await catalogue.sync_resources(
        tenant, list(good.values()), at=act.at, keep=frozenset(keep), dry_run=dry_run, act=act
    )
    return ResourcesOut(
        added=counts.added,
        changed=counts.changed,
        withdrawn=counts.withdrawn,
        unchanged=counts.unchanged,
        rejected=rejected,
        dry_run=dry_run,
    )


async def put_resource(
    resource_id: str, content: bytes, *, tenant: str, catalogue: CatalogueStore, act: Act
) -> Resource:
    """Offer one resource, new, changed or once withdrawn; raises BadInput with all that is wrong with it."""
    resource = resource_put(content, resource_id)
    await catalogue.put_resources(tenant, [resource], act=act)
    return resource


async def patch_resource(
    resource_id: str, content: bytes, *, tenant: str, catalogue: CatalogueStore, act: Act
) -> Resource:
    """Change some of what is told of a resource on offer; raises Unknown, BadInput with all that is wrong."""
    change = resource_changed(content, resource_id)
    return _on_offer(await catalogue.change_resource(tenant, resource_id, change, act=act))


async def withdraw_resource(resource_id: str, *, tenant: str, catalogue: CatalogueStore, act: Act) -> Resource:
    """Offer a resource no more; raises Unknown, BadInput for what cannot be an id."""
    x_id = valid_id(resource_id, "resource_id")
    return _on_offer(await catalogue.withdraw_resource(tenant, x_id, at=act.at, act=act))


def _on_offer(resource: Resource | None) -> Resource:
    if resource is None:
        raise Unknown("no resource of this id is on offer; mend the id, or offer it with PUT /v1/resources/{id}")
    return resource


async def readiness(store: Store, bundles: CurrentBundle, refused: tuple[str, str] | None = None) -> dict[str, str]:
    """What a load balancer should know: `ok`, or why not, for each thing that answers depend on."""
    state = {"store": "ok", "bundle": "ok" if bundles.bundle else "none: answers are labelled fallback"}
    try:
        await store.keys.find("")
    except TrailmateError as problem:
        state["store"] = str(problem)
    if refused is not None:
        state["refused"] = f"the bundle {refused[0]} was not kept: {refused[1]}"
    if n := store.waiting():
        state["outbox"] = f"{n} entries wait for the store"
    return state


def _legible_id(raw: msgspec.Raw) -> str:
    """The id of a resource that could not be read otherwise; empty where there is none."""
    try:
        return str(msgspec.json.decode(raw)["resource_id"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""
