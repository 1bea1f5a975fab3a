"""A world to be judged in: what it must offer, how it is found, and errors that name what is missing."""

import importlib
import math
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from engine.domain.errors import BadInput, TrailmateError, Unknown

# A pyarrow.Table, another table that polars can read, or a list of dicts.
Table = Any


class WorldLearner(Protocol):
    """One simulated learner; `learner_id` and `now` (an aware time) may be offered beside, `gain(resource_id)` too."""

    @property
    def history(self) -> Table:
        """Their interactions so far."""

    @property
    def goal(self) -> list[str]:
        """Ids of the skills to master."""

    def step(self, resource_id: str) -> tuple[float | None, float]:
        """Work through a resource: the outcome in [0, 1], None where there is none, and the seconds it took."""

    def exam(self) -> float:
        """How much of the goal is mastered, in [0, 1]; asking changes nothing."""


class World(Protocol):
    """A school of simulated learners."""

    def catalog(self) -> Mapping[str, Table]:
        """Tables by name: `resources`, and perhaps `skills`."""

    def log(self, n_learners: int, seed: int) -> Table:
        """Interactions to train on, made by a random policy."""

    def learner(self, seed: int) -> WorldLearner:
        """The learner of this seed, always the same."""


def world_of(name: str) -> World:
    """The world that `MODULE:FACTORY` makes; modules are looked for where Python does and in the current folder.

    Raises:
        BadInput: not of this form, the factory fails, or what it gives lacks a method.
        Unknown: no such module, or no such factory in it.
    """
    module_name, _, factory_name = name.partition(":")
    if not module_name or not factory_name:
        raise BadInput(f"{name} names no world: write MODULE:FACTORY, as experiments.worlds.half_life:world")
    factory = getattr(_module(module_name), factory_name, None)
    if not callable(factory):
        raise Unknown(f"{module_name} has no factory {factory_name}: name a function that takes no arguments")
    with blamed(name):
        world = factory()
    _require(world, ("catalog", "log", "learner"), what=f"what {name} makes")
    return world  # type: ignore[no-any-return]


def learner_of(world: World, seed: int) -> WorldLearner:
    """The world's learner of this seed, checked for what every learner must offer.

    Raises:
        BadInput: the world fails, or the learner lacks something.
    """
    with blamed("learner"):
        learner = world.learner(seed)
    _require(learner, ("step", "exam"), what="the world's learner")
    missing = [name for name in ("history", "goal") if not hasattr(learner, name)]
    if missing:
        raise BadInput(f"the world's learner has no .{missing[0]}: a learner needs .history, .goal, .step and .exam")
    return learner


def gain_of(learner: WorldLearner) -> Callable[[str], float]:
    """What a learner would gain from each resource, where the world tells.

    Raises:
        BadInput: the world's learners do not offer it.
    """
    gain = getattr(learner, "gain", None)
    if not callable(gain):
        raise BadInput(
            "this world's learners offer no .gain(resource_id), so there is no oracle: choose another policy"
        )

    def told(resource_id: str) -> float:
        with blamed("gain"):
            worth = float(gain(resource_id))
        if not math.isfinite(worth):
            raise BadInput(f"the world's gain is {worth} for a resource: give a number for each; mend the world")
        return worth

    return told


@contextmanager
def blamed(where: str) -> Iterator[None]:
    """Any error of the world's own code, as one sentence that says where it arose.

    Raises:
        BadInput: in place of that error.
    """
    try:
        yield
    except TrailmateError:
        raise
    except (Exception, SystemExit) as problem:
        frame = traceback.extract_tb(problem.__traceback__)[-1]
        place = f"{Path(frame.filename).name}, line {frame.lineno}"
        said = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise BadInput(f"the world failed in {where}: {said} ({place}); mend the world") from problem


def _module(name: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as problem:
        if problem.name is not None and (name == problem.name or name.startswith(f"{problem.name}.")):
            raise Unknown(f"no module {name} was found: name its folder in PYTHONPATH or go to it") from None
        raise BadInput(f"{name} needs the module {problem.name}, which is not installed: install it") from None
    except Exception as problem:
        said = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise BadInput(f"{name} cannot be loaded: {said}; mend the world") from problem


def _require(thing: object, methods: tuple[str, ...], *, what: str) -> None:
    missing = [name for name in methods if not callable(getattr(thing, name, None))]
    if missing:
        needed = ", ".join(f".{name}()" for name in methods)
        raise BadInput(f"{what} has no method .{missing[0]}(): it needs {needed}")
