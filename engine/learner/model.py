"""What training found out, ready to ask: difficulties, and trees over a learner's features."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.learner.features import COLUMN, NAMES
from engine.learner.forest import Forest, forest_from
from engine.learner.kernels import ARRAYS, Prepared, Statics
from engine.learner.net import Net, net_from
from engine.learner.rows import Vocabulary

# Beyond this no answer is certain: a slip or a guess stays possible.
SUREST = 0.999
SHORTEST_SPREAD, WIDEST_SPREAD = 0.05, 3.0
N_SKILL_ITEMS = 5


@dataclass(frozen=True, slots=True)
class Outlook:
    """For each row asked: `p` of success in [0, 1], mean and spread of the natural log of seconds; each `(n,)`."""

    p: NDArray[np.float64]
    log_seconds_mean: NDArray[np.float64]
    log_seconds_sd: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LearnerModel:
    """The learner model of a bundle; it knows items and skills, never learners.

    `columns`: `(n_columns,)` int32, the features the trees look at. `mastery` adds to the logit of the difficulties
    where `from_logit` is set, else it is the whole logit; `net` has the share `net_weight` in it. `skill_items`: `(n_skills, 5)` int32 rows of the items most
    met under each skill, -1 for none. `doubt`: a, b of the variance 1 / (a + b * information) of a logit.
    """

    version: str
    vocabulary: Vocabulary
    prepared: Prepared
    columns: NDArray[np.int32]
    mastery: Forest
    net: Net | None
    net_weight: float
    pace: Forest
    spread: Forest
    spread_scale: float
    from_logit: bool
    from_usual: bool
    skill_items: NDArray[np.int32]
    doubt: tuple[float, float]
    format_mix: Mapping[str, float]

    def outlook(self, x: NDArray[np.float32], item_row: NDArray[np.int32]) -> Outlook:
        """What these features say: `x` is `(n, N_FEATURES)`, `item_row` `(n,)`, -1 for an unknown item."""
        chosen = np.ascontiguousarray(x[:, self.columns])
        bases = x[:, COLUMN["logit_regimes"]], x[:, COLUMN["expected_log_seconds"]]
        return self.outlook_of(chosen, item_row, *bases)

    def outlook_of(
        self,
        chosen: NDArray[np.float32],
        item_row: NDArray[np.int32],
        logit: NDArray[np.float32],
        usual: NDArray[np.float32],
    ) -> Outlook:
        """The same from the trees' own columns `(n, n_columns)` and the two base columns `(n,)`."""
        z = self.mastery.sums(chosen) + (logit if self.from_logit else 0.0)
        if self.net is not None:
            z = (1.0 - self.net_weight) * z + self.net_weight * self.net.logits(chosen, item_row)
        log_seconds = self.pace.sums(chosen) + (usual if self.from_usual else 0.0)
        spread = np.exp(0.5 * self.spread.sums(chosen)) * self.spread_scale
        return Outlook(certain(z), log_seconds, np.minimum(np.maximum(spread, SHORTEST_SPREAD), WIDEST_SPREAD))

    def quick(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """P(success) from difficulties and abilities alone, without the trees: `(n,)`."""
        return certain(x[:, COLUMN["logit_regimes"]].astype(np.float64))

    def logit_sd(self, information: NDArray[np.float64]) -> NDArray[np.float64]:
        """How uncertain a logit is, given the information of a learner's answers on the skill: `(n,)`."""
        a, b = self.doubt
        result: NDArray[np.float64] = 1.0 / np.sqrt(a + b * information)
        return result


def certain(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits as probabilities that leave room for a slip and a guess."""
    p: NDArray[np.float64] = 1.0 / (1.0 + np.exp(np.minimum(np.maximum(-z, -30.0), 30.0)))
    return np.minimum(np.maximum(p, 1.0 - SUREST), SUREST)


def learner_model_of(bundle: Bundle) -> LearnerModel:
    """The learner model a bundle carries."""
    return learner_model_from(bundle.arrays, bundle.settings["learner"], version=bundle.version)


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
        vocabulary=Vocabulary(of["item_keys"], of["skill_keys"], of["longest_s"], of["timed"]),
        prepared=Prepared(statics),
        columns=np.array([COLUMN[name] for name in settings["columns"]], np.int32),
        mastery=forest_from(of, "mastery"),
        net=net_from(of),
        net_weight=settings["net_weight"],
        pace=forest_from(of, "pace"),
        spread=forest_from(of, "spread"),
        spread_scale=settings["spread_scale"],
        from_logit=settings["from_logit"],
        from_usual=settings["from_usual"],
        skill_items=of["skill_items"],
        doubt=(settings["doubt"][0], settings["doubt"][1]),
        format_mix=settings["format_mix"],
    )


def settings_of(model: LearnerModel) -> dict[str, Any]:
    """The part `learner` of a bundle's settings."""
    statics = model.prepared.statics
    return {
        "mean": statics.mean,
        "b": statics.b,
        "m": statics.m,
        "columns": [NAMES[column] for column in model.columns],
        "net_weight": model.net_weight,
        "spread_scale": model.spread_scale,
        "from_logit": model.from_logit,
        "from_usual": model.from_usual,
        "doubt": list(model.doubt),
        "format_mix": dict(model.format_mix),
    }


def arrays_of(model: LearnerModel) -> dict[str, NDArray[Any]]:
    """The arrays of a bundle's learner model."""
    statics = model.prepared.statics
    named = {
        "item_keys": model.vocabulary.item_keys,
        "skill_keys": model.vocabulary.skill_keys,
        "longest_s": model.vocabulary.longest_s,
        "timed": model.vocabulary.timed,
        "skill_items": model.skill_items,
        **{name: getattr(statics, name)[-1] for name in ARRAYS},
        **model.mastery.arrays("mastery"),
        **(model.net.arrays() if model.net else {}),
        **model.pace.arrays("pace"),
        **model.spread.arrays("spread"),
    }
    return {f"learner_{name}": array for name, array in named.items()}
