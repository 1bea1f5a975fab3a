"""Whether what a request names is known here: a slip in an id must not pass for an answer."""

from collections.abc import Iterable

from engine.learner.rows import skill_key
from engine.recommender import Recommender
from serving.errors import UnknownName


def require_skills(skills: Iterable[str], recommender: Recommender, *, field: str) -> None:
    """Raise UnknownName where one of these skills is known to nobody; without any catalogue all are taken."""
    if not recommender.offer.skills:
        return
    if any(not knows_skill(s, recommender) for s in skills):
        raise UnknownName(
            f"{field} names a skill that nothing teaches and nobody told of; mend its id, or tell of it with the "
            "skills of a resource in PUT /v1/resources"
        )


def knows_skill(skill: str, recommender: Recommender) -> bool:
    """Whether a resource teaches it or once taught it, or the graph of skills or the bundle names it."""
    if skill in recommender.skill_rows or skill in recommender.titles:
        return True
    model = recommender.learner
    if model is not None and model.vocabulary.skill_row(skill_key(skill)) >= 0:
        return True
    return any(skill in taught for taught in recommender.offer.skills.values())


def knows_resource(resource_id: str, recommender: Recommender) -> bool:
    """Whether this resource is or was on offer; without any catalogue all are taken."""
    known = recommender.offer.skills
    return not known or resource_id in known or resource_id in recommender.catalogue.resource_map


def require_resource(resource_id: str, recommender: Recommender) -> None:
    """Raise UnknownName where nobody told of this resource; without any catalogue all are taken."""
    if not knows_resource(resource_id, recommender):
        raise UnknownName("resource_id names no resource of the catalogue; mend it, or send it with PUT /v1/resources")
