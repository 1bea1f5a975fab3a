"""From a log and its learner model to what steps are worth."""

from collections.abc import Mapping

import numpy as np

from engine.domain.skill import mended
from engine.learner.gains import GainModel, usual_minutes
from engine.learner.model import LearnerModel
from engine.learner.rows import item_key, skill_key
from training.attempts import attempts_of, frame_of
from training.gains import fit_gains
from training.log import Log, resources_of, skills_of
from training.tracing import Traced, fit_tracing, met_in
from training.value_added import value_added


def gain_model_for(log: Log, model: LearnerModel, *, seed: int) -> tuple[GainModel, Mapping[str, float]]:
    """The gain model of a log, and what it explains of learners it had not seen."""
    attempts = attempts_of(frame_of(log), model.vocabulary)
    resources = {r.resource_id: r for r in resources_of(log.resources())}
    formats = sorted({r.format for r in resources.values()})
    number = {x: float(formats.index(r.format)) for x, r in resources.items()}
    minutes = {x: r.minutes or 0.0 for x, r in resources.items()}
    ids = attempts.frame["resource_id"].to_list()
    met = met_in(attempts, len(model.vocabulary.skill_keys))
    tracing = fit_tracing(met, model.vocabulary.skill_keys)
    found = value_added(
        attempts,
        model,
        traced=Traced(met, tracing),
        needed=_needed(log, model),
        log_minutes=np.log(usual_minutes(np.array([minutes.get(x, 0.0) for x in ids], np.float64))),
        formats=np.array([number.get(x, -1.0) for x in ids], np.float64),
        seed=seed,
    )
    keys = np.array([item_key(ids[row]) if row >= 0 else 0 for row in found.row.tolist()], np.uint64)
    return fit_gains(found, keys, formats, tracing, seed=seed)


def _needed(log: Log, model: LearnerModel) -> dict[int, list[int]]:
    """The skills needed before each skill, by rows of the model's vocabulary; those it never saw are left out."""
    graph, _ = mended({s.skill_id: s.prerequisites for s in skills_of(log.skills())})
    row = {s: model.vocabulary.skill_row(skill_key(s)) for s in graph}
    return {row[s]: [row[p] for p in ps if row[p] >= 0] for s, ps in graph.items() if row[s] >= 0}
