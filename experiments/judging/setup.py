"""A policy made ready for a world: the shelf, and where it needs one the log or a trained bundle."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.bundle import Bundle, read_bundle
from engine.domain.errors import BadInput
from experiments.judging.intake import frame_of, log_of_world, shelf_of
from experiments.judging.policies import MasteryThreshold, Oracle, PlannedOrder, Popularity, RandomChoice, ReadyWalk
from experiments.judging.view import Choices, Policy
from experiments.judging.world import World, blamed
from experiments.judging.zpdes import Zpdes

Report = Callable[[str, float], None]

_PEERS: dict[str, Callable[[], Policy]] = {
    "random": RandomChoice,
    "popularity": Popularity,
    "planned_order": PlannedOrder,
    "mastery_threshold": MasteryThreshold,
    "zpdes": Zpdes,
    "ready_walk": ReadyWalk,
    "oracle": Oracle,
}
POLICIES = ("trailmate", *_PEERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schooling:
    """What a policy may learn from beforehand: so many learners' logs of this seed.

    `bundle` is where what was trained is kept, and taken from where it lies there already.
    """

    seed: int
    n_learners: int = 1000
    bundle: Path | None = None


def prepared(
    policy: str, world: World, schooling: Schooling, report: Report
) -> tuple[Choices, Callable[[], Policy], str | None]:
    """The choices of a world, what makes a policy for each learner, and the version of the bundle it stands on.

    Raises:
        BadInput: the world fails, or the bundle given was trained on another world.
    """
    with blamed("catalog"):
        catalog = world.catalog()
    shelf = shelf_of(catalog)
    if policy == "trailmate":
        from experiments.judging.trailmate_policy import Trailmate, recommender_for

        bundle = _bundle(world, schooling, report)
        choices = Choices(shelf)
        if not set(bundle.resource_ids) & set(choices.by_id):
            raise BadInput(f"{schooling.bundle} knows no resource of this world: name another folder with --bundle")
        recommender = recommender_for(bundle, choices)
        return choices, lambda: Trailmate(recommender), bundle.version
    if policy == "popularity":
        return Choices(shelf, _taken_up(world, schooling)), Popularity, None
    return Choices(shelf), _PEERS[policy], None


def _taken_up(world: World, schooling: Schooling) -> Counter[str]:
    """How often the log has each resource."""
    with blamed("log"):
        log = frame_of(world.log(schooling.n_learners, schooling.seed), "log")
    return Counter(str(x) for x in log["resource_id"].drop_nulls()) if "resource_id" in log.columns else Counter()


def _bundle(world: World, schooling: Schooling, report: Report) -> Bundle:
    if schooling.bundle is not None:
        if not schooling.bundle.exists():
            _train(world, schooling, schooling.bundle, report)
        return read_bundle(schooling.bundle)
    with TemporaryDirectory() as folder:
        _train(world, schooling, Path(folder) / "bundle", report)
        return read_bundle(Path(folder) / "bundle")


def _train(world: World, schooling: Schooling, out: Path, report: Report) -> None:
    """The job that `trailmate train` runs, on the world's log."""
    from training.pipeline import train
    from training.relevance_models import ModelSettings

    report("making the world's log", 0.0)
    with blamed("log"):
        interactions, catalog = world.log(schooling.n_learners, schooling.seed), world.catalog()
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log_of_world(interactions, catalog, log, lambda what, share: report(what, 0.1 + 0.1 * share))
        train(log, out, settings=ModelSettings(), seed=schooling.seed, report=lambda w, s: report(w, 0.2 + 0.8 * s))
