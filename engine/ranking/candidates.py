"""What may be recommended to this learner now."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.decision import Request
from engine.domain.query import Query
from engine.domain.resource import Resource


def candidates_of(
    request: Request, query: Query, catalogue: Catalogue, *, welcome: NDArray[np.int64] | None = None
) -> NDArray[np.int32]:
    """Rows of the catalogue that may be shown, ascending: `(n_candidates,)` int32.

    Named candidates are taken as they are named, also where they were seen before; without them everything is a
    candidate that was not yet seen or is `welcome` again (rows). Availability, access needs, languages, formats and
    minutes hold in both cases.
    """
    allowed = catalogue.available(query.now_us)
    if request.candidates is not None:
        named = np.zeros(len(catalogue), dtype=bool)
        rows = catalogue.resource_map.rows(request.candidates)
        named[rows[rows >= 0]] = True
        allowed &= named
    else:
        unseen = np.ones(len(catalogue), dtype=bool)
        unseen[query.history.seen] = False
        if welcome is not None:
            unseen[welcome] = True
        allowed &= unseen
    if request.exclude:
        rows = catalogue.resource_map.rows(request.exclude)
        allowed[rows[rows >= 0]] = False
    fits = _conditions(request, query)
    found = np.flatnonzero(allowed).astype(np.int32)
    if not fits:
        return found
    return found[[_meets(catalogue.resources[row], fits) for row in found]] if len(found) else found


def _conditions(request: Request, query: Query) -> list[Callable[[Resource], bool]]:
    """What this request and this learner demand of a resource; what a resource does not say never excludes it,
    except for access needs, which are hard.
    """
    needs, languages = set(query.access_needs), set(query.languages)
    formats, minutes = request.formats, request.minutes
    conditions: list[Callable[[Resource], bool]] = []
    if needs:
        conditions.append(lambda r: needs <= set(r.access))
    if languages:
        conditions.append(lambda r: r.language is None or r.language in languages)
    if formats is not None:
        conditions.append(lambda r: r.format in formats)
    if minutes is not None:
        conditions.append(lambda r: r.minutes is None or r.minutes <= minutes)
    return conditions


def _meets(resource: Resource | None, conditions: list[Callable[[Resource], bool]]) -> bool:
    return resource is not None and all(fits(resource) for fits in conditions)
