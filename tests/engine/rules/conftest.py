"""A small catalogue and short ways to write rules for it."""

import numpy as np
import pytest

from engine.domain.catalogue import catalogue_of
from engine.domain.history import History
from engine.domain.resource import Resource
from engine.rules.language import rule_of
from engine.rules.matching import contents_of

CATALOGUE = [
    Resource(resource_id="frac-video", title="Fractions, seen", format="video", skills=("frac-1",), minutes=10.0),
    Resource(resource_id="frac-sheet", title="Fractions, tried", format="exercise", skills=("frac-1",), minutes=20.0),
    Resource(resource_id="ratio-sheet", title="Ratios, tried", format="exercise", skills=("ratios",), minutes=25.0),
    Resource(resource_id="ratio-video", title="Ratios, seen", format="video", skills=("ratios",), minutes=8.0),
    Resource(resource_id="bridge", title="Build a bridge", format="project", skills=("ratios",), minutes=60.0),
    Resource(resource_id="old", title="An old text", format="reading", tags=("draft",), minutes=5.0),
]


@pytest.fixture(scope="session")
def contents():
    return contents_of(catalogue_of(CATALOGUE, known_ids=["withdrawn"]))


@pytest.fixture(scope="session")
def rule():
    def made(rule_id, verb, *, value=None, strength=None, scope=None, until=None, starts=None, **what):
        plain = {"id": rule_id, "verb": verb, "what": {k: list(v) for k, v in what.items()}, "value": value}
        return rule_of({**plain, "strength": strength, "scope": scope, "until": until, "from": starts})

    return made


@pytest.fixture(scope="session")
def nothing_done():
    return History(np.empty(0, np.int32), np.empty(0, np.int64))
