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
from engine.learner.kernels import address, library
from engine.learner.tracing import Tracing, tracing_from

# What is known of a learner, a resource and one of its skills before the step.
FACTS = (
    "mastery", "p_success", "readiness", "readiness_mean", "skill_n", "skill_seen", "item_n", "item_seen", "gap",
    "last", "difficulty", "log_minutes", "format", "ability", "n_skills", "known",
)  # fmt: skip
_KNOWN, _READINESS = FACTS.index("known"), FACTS.index("readiness")
# Of what counts as surely known so much is still left to learn.
LEAST_OPEN = 0.05
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
    they had not seen; `unready` the share of a gain that is left where what comes before is not known.
    """

    forest: Forest
    formats: tuple[str, ...]
    resource_keys: NDArray[np.uint64]
    effects: Floats
    scale: float
    unready: float
    tracing: Tracing

    def gains(self, facts: NDArray[np.float32], keys: NDArray[np.uint64]) -> Floats:
        """Expected change of P(success) on the skill by the step: `(n,)` from `(n, n_facts)` and resource keys."""
        loaded = library()
        if loaded is None:
            return self.reckoned(facts, keys)
        facts, keys = np.ascontiguousarray(facts, np.float32), np.ascontiguousarray(keys, np.uint64)
        said, known = self.forest.sums(facts), (np.ascontiguousarray(self.resource_keys), self.effects)
        loaded.step_gains(
            address(facts), len(facts), address(keys), address(known[0]), address(known[1]), len(known[0]),
            PRIOR_LOG_ODDS, self.scale, LEAST_OPEN, self.unready, address(said),
        )  # fmt: skip
        return said

    def reckoned(self, facts: NDArray[np.float32], keys: NDArray[np.uint64]) -> Floats:
        """The same in numpy: the compiled form's oracle and stand-in."""
        place = np.minimum(self.resource_keys.searchsorted(keys), max(len(self.resource_keys) - 1, 0))
        known = self.resource_keys[place] == keys if len(self.resource_keys) else np.zeros(len(keys), bool)
        factor = 1.0 + np.where(known, self.effects[place] if len(self.effects) else 0.0, 0.0)
        said = prior_gains(facts) + self.scale * left_open(facts) * self.forest.sums(facts)
        gains: Floats = said * gate(facts, self.unready) * factor
        return gains

    def format_number(self, name: str) -> float:
        """The number that stands for a format; -1 for one that was not in the log."""
        return float(self.formats.index(name)) if name in self.formats else -1.0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As a bundle carries them."""
        own = {"gain_resource_keys": self.resource_keys, "gain_effects": self.effects}
        return {**self.forest.arrays("gain"), **own, **self.tracing.arrays()}

    def as_json(self) -> dict[str, Any]:
        """The part `gain` of a bundle's settings."""
        return {
            "formats": list(self.formats),
            "scale": self.scale,
            "unready": self.unready,
            "tracing": self.tracing.as_json(),
        }


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
        unready=float(settings["unready"]),
        tracing=tracing_from(arrays, settings["tracing"]),
    )


def prior_gains(facts: NDArray[np.float32]) -> Floats:
    """What is expected before a log says otherwise: a tenth of log-odds, less where what comes before is not known."""
    mastery, readiness = facts[:, 0].astype(np.float64), facts[:, 2].astype(np.float64)
    prior: Floats = PRIOR_LOG_ODDS * mastery * (1.0 - mastery) * readiness
    return prior


def left_open(facts: NDArray[np.float32]) -> Floats:
    """What is left to learn of a skill: nothing is left to what is surely known, however seldom a log had that."""
    return np.maximum(1.0 - facts[:, _KNOWN].astype(np.float64), LEAST_OPEN)


def gate(facts: NDArray[np.float32], unready: float) -> Floats:
    """What counts of a gain: all of it where what a skill waits for is known, the share `unready` where it is not."""
    return unready + (1.0 - unready) * facts[:, _READINESS].astype(np.float64)


def usual_minutes(declared: Floats) -> Floats:
    """The minutes a catalogue says, the usual ones where it says none: `(n,)`."""
    return np.where(declared > 0, declared, USUAL_MINUTES)


def step_facts(
    *,
    mastery: Floats,
    known: Floats,
    readiness: tuple[Floats, Floats],
    p: Floats,
    of_skill: NDArray[np.float32],
    own: NDArray[np.float32],
    log_minutes: Floats,
    formats: Floats,
) -> NDArray[np.float32]:
    """`FACTS` of pairs: `(n, n_facts)` float32, from arrays `(n,)`, `of_skill` `(n, 4)` and `own` `(n, 5)`.

    `readiness`: how surely what is needed before the skill is known, the least of it and the mean.
    """
    facts = np.empty((len(p), len(FACTS)), np.float32)
    columns: tuple[NDArray[Any], ...] = (
        mastery, p, *readiness, of_skill[:, 0], of_skill[:, 1], own[:, 0], own[:, 1],
        of_skill[:, 2], of_skill[:, 3], own[:, 2], log_minutes, formats, own[:, 3], own[:, 4], known,
    )  # fmt: skip
    for k, column in enumerate(columns):
        facts[:, k] = column
    return facts
