"""What training found out, ready to ask: difficulties, and trees over a learner's features."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.learner.chance import Chance, chance_from
from engine.learner.features import COLUMN, NAMES
from engine.learner.forest import Forest, forest_from
from engine.learner.kernels import ARRAYS, Prepared, Statics
from engine.learner.line import LINE_COLUMNS
from engine.learner.rows import Vocabulary
from engine.learner.tracing import USUAL_TRACING, Tracing, tracing_from

# Beyond this no answer is certain: a slip or a guess stays possible.
SUREST = 0.999
_FARTHEST = math.log(SUREST / (1.0 - SUREST))
SHORTEST_SPREAD, WIDEST_SPREAD = 0.05, 3.0
N_SKILL_ITEMS = 5
# The columns every model looks at, in this order: the line's, and the usual log seconds.
FIRST_COLUMNS = np.append(LINE_COLUMNS, COLUMN["expected_log_seconds"]).astype(np.int32)
USUAL = len(LINE_COLUMNS)


@dataclass(frozen=True, slots=True)
class Outlook:
    """For each row asked: `p` of success in [0, 1], mean and spread of the natural log of seconds; each `(n,)`."""

    p: NDArray[np.float64]
    log_seconds_mean: NDArray[np.float64]
    log_seconds_sd: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LearnerModel:
    """The learner model of a bundle; it knows items and skills, never learners.

    `columns`: `(n_columns,)` int32, the features that are looked at: those of the line first, then the usual log
    seconds, then the rest. `pace` adds to the usual log seconds where `from_usual` is set, else it says them whole.
    `skill_items`: `(n_skills, 5)` int32 rows of the items most met under each skill, -1 for none. `doubt`: a, b of the
    variance 1 / (a + b * information) of a logit. `silent_formats`: those of which no answer ever came. `tracing`: by
    what law answers tell whether a skill is known.
    """

    version: str
    vocabulary: Vocabulary
    prepared: Prepared
    columns: NDArray[np.int32]
    chance: Chance
    pace: Forest
    spread: Forest
    spread_scale: float
    from_usual: bool
    skill_items: NDArray[np.int32]
    doubt: tuple[float, float]
    format_mix: Mapping[str, float]
    silent_formats: frozenset[str] = frozenset()
    tracing: Tracing = USUAL_TRACING

    def outlook(self, x: NDArray[np.float32], item_row: NDArray[np.int32]) -> Outlook:
        """What features say: `x` `(n, n_columns)` of `columns`, `item_row` `(n,)`, -1 for an unknown item."""
        x = np.ascontiguousarray(x, np.float32)
        spread = np.exp(0.5 * self.spread.sums(x)) * self.spread_scale
        sd = np.minimum(np.maximum(spread, SHORTEST_SPREAD), WIDEST_SPREAD)
        return Outlook(self.p_success(x, item_row), self.log_seconds(x), sd)

    def p_success(self, x: NDArray[np.float32], item_row: NDArray[np.int32]) -> NDArray[np.float64]:
        """P(success) alone: `(n,)`."""
        return certain(self.chance.logits(x, item_row))

    def log_seconds(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The mean of the natural log of seconds alone: `(n,)`."""
        mean: NDArray[np.float64] = self.pace.sums(x) + (x[:, USUAL] if self.from_usual else 0.0)
        return mean

    def quick(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """P(success) without the trees, from the learner's adapted logit and the straight line: `(n,)`."""
        return certain(self.chance.quick(x))

    def logit_sd(self, information: NDArray[np.float64]) -> NDArray[np.float64]:
        """How uncertain a logit is, given the information of a learner's answers on the skill: `(n,)`."""
        a, b = self.doubt
        result: NDArray[np.float64] = 1.0 / np.sqrt(a + b * information)
        return result


def certain(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits as probabilities that leave room for a slip and a guess."""
    bounded = np.minimum(np.maximum(z, -_FARTHEST), _FARTHEST)
    p: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-bounded))
    return p


def learner_model_of(bundle: Bundle) -> LearnerModel:
    """The learner model a bundle carries."""
    model = learner_model_from(bundle.arrays, bundle.settings["learner"], version=bundle.version)
    return replace(model, tracing=tracing_from(bundle.arrays, bundle.settings["gain"]["tracing"]))


def learner_model_from(
    arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any], *, version: str
) -> LearnerModel:
    """The learner model of a bundle's arrays and of the part `learner` of its settings."""
    of = {name.removeprefix("learner_"): array for name, array in arrays.items() if name.startswith("learner_")}
    statics = Statics(
        mean=settings["mean"], b=settings["b"], m=settings["m"], **{name: of[name][None] for name in ARRAYS}
    )
    return LearnerModel(
        version=version,
        vocabulary=_vocabulary(of),
        prepared=Prepared(statics),
        columns=np.array([COLUMN[name] for name in settings["columns"]], np.int32),
        chance=chance_from(of),
        pace=forest_from(of, "pace"),
        spread=forest_from(of, "spread"),
        spread_scale=settings["spread_scale"],
        from_usual=settings["from_usual"],
        skill_items=of["skill_items"],
        doubt=(settings["doubt"][0], settings["doubt"][1]),
        format_mix=settings["format_mix"],
        silent_formats=frozenset(settings.get("silent_formats", ())),
    )


def _vocabulary(of: Mapping[str, NDArray[Any]]) -> Vocabulary:
    """Older bundles do not say what is never answered: there, everything may be."""
    answered = of.get("answered", np.zeros(len(of["item_keys"]), np.int8))
    return Vocabulary(of["item_keys"], of["skill_keys"], of["longest_s"], of["timed"], answered)


def settings_of(model: LearnerModel) -> dict[str, Any]:
    """The part `learner` of a bundle's settings."""
    statics = model.prepared.statics
    return {
        "mean": statics.mean,
        "b": statics.b,
        "m": statics.m,
        "columns": [NAMES[column] for column in model.columns],
        "spread_scale": model.spread_scale,
        "from_usual": model.from_usual,
        "doubt": list(model.doubt),
        "format_mix": dict(model.format_mix),
        "silent_formats": sorted(model.silent_formats),
    }


def arrays_of(model: LearnerModel) -> dict[str, NDArray[Any]]:
    """The arrays of a bundle's learner model."""
    statics = model.prepared.statics
    named = {
        "item_keys": model.vocabulary.item_keys,
        "skill_keys": model.vocabulary.skill_keys,
        "longest_s": model.vocabulary.longest_s,
        "timed": model.vocabulary.timed,
        "answered": model.vocabulary.answered,
        "skill_items": model.skill_items,
        **{name: getattr(statics, name)[-1] for name in ARRAYS},
        **model.chance.arrays(),
        **model.pace.arrays("pace"),
        **model.spread.arrays("spread"),
    }
    return {f"learner_{name}": array for name, array in named.items()}
