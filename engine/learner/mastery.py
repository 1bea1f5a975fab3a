"""What a learner's state says of skills and resources: chance of success, doubt, recall, minutes, and the evidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME
from engine.domain.resource import Resource
from engine.learner.kernels import fold
from engine.learner.model import LearnerModel, Outlook, certain
from engine.learner.review import RETENTION, Memory, due_us, retrievability
from engine.learner.rows import MINUTE_US, AnyRows, PackedRows, asked_rows, item_key, skill_key
from engine.learner.state import LearnerState

# Nine times in ten a learner's chance lies between the two ends that are shown.
_Z = 1.6448536270
# A learner's own pace counts as if they had worked at the usual pace this many times before.
_PACE_PRIOR = 5.0
_REMEMBERED = 16
# An item nobody has: difficulties count for it, and nothing the learner did.
NEVER_MET = 0
_UNTIMED_MINUTES = 100_000.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an estimate stands on: `n` answers, the newest of them first in `last` (right or not), `seen` exposures."""

    n: int
    last: tuple[bool, ...]
    seen: int
    last_us: int | None


@dataclass(frozen=True, slots=True)
class SkillMastery:
    """P(success on a usual item of the skill, now) with the ends of its 90 % interval, recall, and the evidence.

    `known` is P(the skill is known), which slips and guesses do not blur: by it a skill counts as mastered.

    `recall` is the chance that the skill is still remembered as it was, None before any right answer; `due_us` the day
    from when it is worth a review.
    """

    skill_id: str
    p: float
    known: float
    low: float
    high: float
    recall: float | None
    due_us: int | None
    evidence: Evidence
    log_seconds_mean: float
    log_seconds_sd: float


@dataclass(frozen=True, slots=True)
class ResourceOutlook:
    """P(success on this resource, now), and the minutes it is expected to take this learner; None where unknown."""

    p: float | None
    minutes: float | None


def outlook_on(
    state: LearnerState, asked: Sequence[tuple[str, Sequence[str]]], model: LearnerModel, now_us: int
) -> Outlook:
    """P of success and log seconds for pairs of an item or resource id and its skills."""
    rows = asked_rows(asked, now_us, model.vocabulary)
    return model.outlook(_features(state, rows, model), rows.item_row)


def resource_outlooks(
    state: LearnerState, resources: Sequence[Resource], model: LearnerModel, now_us: int
) -> list[ResourceOutlook]:
    """What each resource holds for this learner.

    Minutes come from the times the log knows of the resource, else from its declared minutes and the learner's pace.
    """
    if not resources:
        return []
    said = outlook_on(state, [(r.resource_id, r.skills) for r in resources], model, now_us)
    rows = model.vocabulary.item_rows(np.array([item_key(r.resource_id) for r in resources], np.uint64))
    timed = np.append(model.vocabulary.timed, False)[rows]
    pace = pace_of(state)
    return [
        ResourceOutlook(
            float(p), math.exp(mean) / 60.0 if known else None if r.minutes is None else float(r.minutes) * pace
        )
        for r, p, mean, known in zip(resources, said.p, said.log_seconds_mean, timed, strict=True)
    ]


def skill_masteries(state: LearnerState, skills: Sequence[str], model: LearnerModel, now_us: int) -> list[SkillMastery]:
    """Mastery of each skill: the mean over the items most met under it, as if the learner had never met them."""
    if not skills:
        return []
    keys = np.array([skill_key(s) for s in skills], np.uint64)
    items, of_skill = usual_items(keys, model)
    usual = asked_rows([("", (skills[k],)) for k in of_skill], now_us, model.vocabulary)
    plain = usual.arrays() if isinstance(usual, PackedRows) else usual
    rows = replace(plain, item_row=items, item_key=np.full(len(items), NEVER_MET, np.uint64))
    said = model.outlook(_features(state, rows, model), rows.item_row)
    share = 1.0 / np.bincount(of_skill, minlength=len(skills))
    p, mean, sd = (
        np.bincount(of_skill, of, len(skills)) * share for of in (said.p, said.log_seconds_mean, said.log_seconds_sd)
    )
    known, _ = model.tracing.of_state(keys, state.blocks, p, n_events=int(state.whole["n_events"][0]))
    return [
        _mastery(
            skill, (float(p[k]), float(known[k])), state, int(keys[k]), model, now_us, (float(mean[k]), float(sd[k]))
        )
        for k, skill in enumerate(skills)
    ]


def evidence_of(state: LearnerState, key: int) -> Evidence:
    """What the learner did on one skill or item."""
    block = state.block(key)
    if block is None:
        return Evidence(0, (), 0, None)
    n, recent = int(block["n"]), int(block["recent"])
    last = tuple(bool(recent >> k & 1) for k in range(min(n, _REMEMBERED)))
    return Evidence(n, last, int(block["seen"]), _last_us(state, key, float(block["last_t"])))


def _last_us(state: LearnerState, key: int, last_t: float) -> int | None:
    """When the skill was last answered, or where it never was, last met; None without a clock."""
    memory = state.memories.get(key)
    if memory is not None:
        return None if memory.reviewed_us == NO_TIME else memory.reviewed_us
    # Events without a time are counted on in half minutes, from 1970 where nothing came before.
    return round(last_t * MINUTE_US) if abs(last_t) > _UNTIMED_MINUTES else None


def memory_of(state: LearnerState, key: int) -> Memory | None:
    """How a skill is remembered; None of what was never answered right: there is nothing to remember."""
    memory = state.memories.get(key)
    if memory is None:
        return None
    block = state.block(key)
    return memory if block is not None and int(block["recent"]) else None


def due_reviews(state: LearnerState, skills: Sequence[str], now_us: int) -> dict[str, float]:
    """The skills that are due, each with the chance that it is still remembered; none where the log has no clock."""
    known = {s: memory for s in skills if (memory := memory_of(state, skill_key(s))) is not None}
    recalled = {s: retrievability(m, now_us) for s, m in known.items() if m.reviewed_us != NO_TIME}
    # Recall falls day by day, so this is the same as asking whether `due_us` has come, and takes one look.
    return {s: recall for s, recall in recalled.items() if recall <= RETENTION}


def _mastery(
    skill: str,
    chances: tuple[float, float],
    state: LearnerState,
    key: int,
    model: LearnerModel,
    now_us: int,
    seconds: tuple[float, float],
) -> SkillMastery:
    (p, known), block, memory = chances, state.block(key), memory_of(state, key)
    information = 0.0 if block is None else float(block["info"])
    z, sd = math.log(p / (1.0 - p)), float(model.logit_sd(np.array([information]))[0])
    low, high = certain(np.array([z - _Z * sd, z + _Z * sd]))
    return SkillMastery(
        skill_id=skill,
        p=p,
        known=known,
        low=float(low),
        high=float(high),
        recall=None if memory is None else retrievability(memory, now_us),
        due_us=None if memory is None else due_us(memory),
        evidence=evidence_of(state, key),
        log_seconds_mean=seconds[0],
        log_seconds_sd=seconds[1],
    )


def usual_items(keys: NDArray[np.uint64], model: LearnerModel) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Rows of items to ask about, and which skill each stands for; a skill without any is asked about by itself."""
    rows = model.vocabulary.skill_rows(keys)
    nothing = np.full((1, model.skill_items.shape[1]), -1, np.int32)
    items = np.concatenate([model.skill_items, nothing])[rows]
    items[(items >= 0).sum(1) == 0, 0] = -2
    of_skill, place = np.nonzero(items != -1)
    chosen = items[of_skill, place]
    return np.where(chosen < 0, -1, chosen).astype(np.int32), of_skill


def _features(state: LearnerState, rows: AnyRows, model: LearnerModel) -> NDArray[np.float32]:
    _, _, x = fold(model.prepared, rows, state.whole, state.blocks, update=False, features=True)
    assert x is not None
    return x[:, model.columns]


def pace_of(state: LearnerState) -> float:
    """The learner's time as a share of the usual one, shrunken to 1."""
    n = float(state.whole["rt_n"][0])
    return math.exp(float(state.whole["rt_slow"][0]) * n / (n + _PACE_PRIOR))
