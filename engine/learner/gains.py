"""What one step is worth: how much more a learner can be expected to know after it, per skill.

Training finds it in the log as value added: what a later answer on the skill came to, beyond what the state before the
step said of it. Nothing of it is a law of learning written by hand but the prior, which holds where a log says little.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.learner.features import COLUMN
from engine.learner.forest import Forest, forest_from

# What is known of a learner, a resource and one of its skills before the step.
FACTS = (
    "mastery", "p_success", "readiness", "readiness_mean", "skill_n", "skill_seen", "item_n", "item_seen", "gap",
    "last", "difficulty", "log_minutes", "format", "ability", "n_skills",
)  # fmt: skip
OF_SKILL = ("rarest.log_n", "rarest.log_seen", "rarest.log_gap", "rarest.last")
OF_ROW = ("item.log_n", "item.log_seen", "difficulty_item", "learner.ability", "n_skills")
SKILL_COLUMNS = np.array([COLUMN[name] for name in OF_SKILL])
ROW_COLUMNS = np.array([COLUMN[name] for name in OF_ROW])
# Learners gain about a tenth of log-odds each time they work on a skill (Koedinger et al. 2023).
PRIOR_LOG_ODDS = 0.1
# Where neither the log nor the catalogue says how long a resource takes.
USUAL_MINUTES = 10.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GainModel:
    """Trees over `FACTS`, and by how much single resources beat them; effects `(n,)` beside keys `(n,)` ascending.

    `formats` give the numbers that stand for formats; `scale` is the share of what the trees say that held for learners
    they had not seen.
    """

    forest: Forest
    formats: tuple[str, ...]
    resource_keys: NDArray[np.uint64]
    effects: Floats
    scale: float

    def gains(self, facts: NDArray[np.float32], keys: NDArray[np.uint64]) -> Floats:
        """Expected change of P(success) on the skill by the step: `(n,)` from `(n, n_facts)` and resource keys."""
        place = np.minimum(self.resource_keys.searchsorted(keys), max(len(self.resource_keys) - 1, 0))
        known = self.resource_keys[place] == keys if len(self.resource_keys) else np.zeros(len(keys), bool)
        factor = 1.0 + np.where(known, self.effects[place] if len(self.effects) else 0.0, 0.0)
        gains: Floats = (prior_gains(facts) + self.scale * self.forest.sums(facts)) * factor
        return gains

    @property
    def fitted(self) -> bool:
        """Whether a log was long enough to say anything; else the prior stands alone."""
        return len(self.forest.column) > 0

    def format_number(self, name: str) -> float:
        """The number that stands for a format; -1 for one that was not in the log."""
        return float(self.formats.index(name)) if name in self.formats else -1.0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As a bundle carries them."""
        return {**self.forest.arrays("gain"), "gain_resource_keys": self.resource_keys, "gain_effects": self.effects}

    def as_json(self) -> dict[str, Any]:
        """The part `gain` of a bundle's settings."""
        return {"formats": list(self.formats), "scale": self.scale}


def gain_model_of(bundle: Bundle) -> GainModel:
    """The gain model a bundle carries."""
    return gain_model_from(bundle.arrays, bundle.settings["gain"])


def gain_model_from(arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> GainModel:
    """The gain model of a bundle's arrays and of the part `gain` of its settings."""
    return GainModel(
        forest=forest_from(arrays, "gain"),
        formats=tuple(settings["formats"]),
        resource_keys=np.asarray(arrays["gain_resource_keys"]),
        effects=np.asarray(arrays["gain_effects"]),
        scale=float(settings["scale"]),
    )


def prior_gains(facts: NDArray[np.float32]) -> Floats:
    """What is expected before a log says otherwise: a tenth of log-odds, less where what comes before is not known."""
    mastery, readiness = facts[:, 0].astype(np.float64), facts[:, 2].astype(np.float64)
    prior: Floats = PRIOR_LOG_ODDS * mastery * (1.0 - mastery) * readiness
    return prior


def usual_minutes(declared: Floats) -> Floats:
    """The minutes a catalogue says, the usual ones where it says none: `(n,)`."""
    return np.where(declared > 0, declared, USUAL_MINUTES)


def step_facts(
    *,
    mastery: Floats,
    readiness: Floats,
    readiness_mean: Floats,
    p: Floats,
    of_skill: NDArray[np.float32],
    own: NDArray[np.float32],
    log_minutes: Floats,
    formats: Floats,
) -> NDArray[np.float32]:
    """`FACTS` of pairs: `(n, n_facts)` float32, from arrays `(n,)`, `of_skill` `(n, 4)` and `own` `(n, 5)`."""
    facts = np.empty((len(p), len(FACTS)), np.float32)
    columns: tuple[NDArray[Any], ...] = (
        mastery, p, readiness, readiness_mean, of_skill[:, 0], of_skill[:, 1], own[:, 0], own[:, 1],
        of_skill[:, 2], of_skill[:, 3], own[:, 2], log_minutes, formats, own[:, 3], own[:, 4],
    )  # fmt: skip
    for k, column in enumerate(columns):
        facts[:, k] = column
    return facts
