"""A small catalogue that a bundle was trained for, beside the same one without a bundle."""

import pytest
from lessons import trained

from engine.recommender import recommender_of


@pytest.fixture(scope="session")
def lesson(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("lesson"), 60)[0]


@pytest.fixture(scope="session")
def without_a_bundle(lesson):
    return recommender_of(None, [r for r in lesson.catalogue.resources if r is not None])
