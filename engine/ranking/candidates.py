"""What may be recommended to this learner now."""

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.decision import Request
from engine.domain.query import Query


def candidates_of(
    request: Request, query: Query, catalogue: Catalogue, *, welcome: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """Which rows of the catalogue may be shown: `(n_resources,)` bool.

    Named candidates are taken as they are named, also where they were seen before; without them everything is a
    candidate that was not yet seen or is `welcome` again (rows). Availability, access needs, languages and formats hold
    in both cases. What fits into the minutes of a request is found out of those that are looked at (`InTime`).
    """
    available = catalogue.available(query.now_us)
    if request.candidates is not None:
        allowed = np.zeros(len(catalogue), dtype=bool)
        rows = catalogue.resource_map.rows(request.candidates)
        allowed[rows[rows >= 0]] = True
        allowed &= available
    else:
        allowed = available.copy()
        allowed[query.history.resource_index] = False
        if welcome is not None:
            allowed[welcome] = available[welcome]
    if request.exclude:
        rows = catalogue.resource_map.rows(request.exclude)
        allowed[rows[rows >= 0]] = False
    for fits in _conditions(request, query, catalogue):
        allowed &= fits
    return allowed


def _conditions(request: Request, query: Query, catalogue: Catalogue) -> list[NDArray[np.bool_]]:
    """What this request and this learner demand of a resource; what a resource does not say never excludes it,
    except for access needs, which are hard.
    """
    conditions = [catalogue.with_access(need) for need in query.access_needs]
    if query.languages:
        conditions.append(np.logical_or.reduce([catalogue.in_language(x) for x in query.languages]))
    if request.formats is not None:
        nothing = np.zeros(len(catalogue), dtype=bool)
        conditions.append(np.logical_or.reduce([nothing, *(catalogue.of_format(x) for x in request.formats)]))
    return conditions
