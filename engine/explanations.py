"""Reasons a learner and a teacher can read; their contributions add up to the score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.decision import Reason
from engine.domain.query import Query
from engine.domain.resource import Resource
from engine.domain.rule import Rule
from engine.learner.evidence import facts_of, teacher_text
from engine.learner.mastery import evidence_of
from engine.learner.menu import Menu
from engine.learner.rows import skill_key
from engine.learner.state import LearnerState
from engine.learner.tracing import MASTERED
from engine.phrases import reason
from engine.ranking.learning import REPEATED_WITHIN, TERMS, Learning
from engine.ranking.newcomers import Newcomers
from engine.ranking.objective import N_LOOP, band_of
from engine.ranking.relevance import RelevanceModel

# From so many on it is one, a few, many who took something up.
_TWO, _MANY = 2, 5


def reasons_of(
    rows: NDArray[np.int64],
    contributions: NDArray[np.float64],
    *,
    query: Query,
    model: RelevanceModel,
    catalogue: Catalogue,
    newcomers: Newcomers | None = None,
) -> list[tuple[Reason, ...]]:
    """Why each of these resources is relevant, a reason for each family.

    `contributions` `(n_families, len(rows))` count from what is usual among the candidates, so that what is alike for
    all says nothing of one.
    """
    # For a newcomer what is most like it is asked.
    stands = {row: x for row in rows.tolist() if (x := newcomers.most_like(row)) is not None} if newcomers else {}
    asked = np.array([stands.get(row, row) for row in rows.tolist()], np.int64) if stands else rows
    strongest = _strongest(asked, query, model, catalogue)
    found = []
    votes, by_family = model.votes(query, rows.tolist()), contributions.T.tolist()
    soon = model.cohort_votes(query, rows.tolist())
    among, done = "course" if model.popularity.course(query) else "school", _done(rows, query.history.seen)
    for row, terms, taken_up, mine, ahead, because in zip(
        rows.tolist(), by_family, votes, done, soon, strongest, strict=True
    ):
        by = dict(zip(model.families, terms, strict=True))
        like = catalogue.title(stands[row]) if row in stands else ""
        # The learner's own may be later than the last training.
        learners = max(taken_up, 1.0) if mine else taken_up
        made = (
            _others(by["others"], learners, among, like),
            _course_time(by["course_time"], ahead),
            _own_work(by["own_work"], because, like),
            _format(by["format"]),
        )
        found.append(tuple(r for r in made if r is not None))
    return found


def in_order(*reasons: Reason | None) -> tuple[Reason, ...]:
    """What speaks for it, then what speaks against it, each by its weight; last what is alike for all."""
    found = [r for r in reasons if r is not None]
    keys = [(r.code == "usual", r.contribution < 0, -abs(r.contribution)) for r in found]
    return tuple([found[place] for place in sorted(range(len(found)), key=keys.__getitem__)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What reasons of learning are told from."""

    learning: Learning
    menu: Menu
    state: LearnerState
    titles: Mapping[str, str]
    resources: Sequence[Resource | None]
    words: Mapping[int, str]
    again: frozenset[int]
    lately: NDArray[np.int32]
    now_us: int

    def times(self, row: int) -> float:
        """How often the learner did this lately."""
        return float((self.lately[-REPEATED_WITHIN:] == row).sum())

    def title(self, skill: int) -> str:
        """The name of a skill of the menu."""
        skill_id = self.menu.skills[skill]
        return self.titles.get(skill_id, skill_id)


def usual_reason(contribution: float) -> Reason | None:
    """What relevance comes to on average, where the score holds it."""
    return reason("usual", "usual", contribution) if contribution else None


def learning_reasons(rows: Sequence[int], positions: NDArray[np.int64], told: Told) -> list[tuple[Reason | None, ...]]:
    """What learning says for some candidates: their rows of the catalogue, and positions among those looked at."""
    learning = told.learning
    terms, p = learning.terms[:, positions].T.tolist(), learning.known.p[positions].tolist()
    minutes: list[float] = learning.known.takes.with_those(positions)[positions].tolist()
    gains, band = _gains(positions, minutes, told), band_of(told.state)
    found = []
    for row, own, chance, takes, facts in zip(rows, terms, p, minutes, gains, strict=True):
        added = dict(zip(TERMS, own, strict=True))
        found.append(
            (
                _gain(added["gain"], facts, told),
                _challenge(added["challenge"], chance, band),
                _information(added["information"], chance),
                _approach(added["approach"], row, told),
                *_needed(added, row, told),
                *voice_reasons([added["voice"]], [told.words.get(row)]),
                reason("minutes", "minutes", added["minutes"], minutes=takes) if added["minutes"] else None,
                _repeat(added["repeat"], row, told),
            )
        )
    return found


def voice_reasons(added: Sequence[float] | NDArray[np.float64], words: Sequence[str | None]) -> list[Reason | None]:
    """What the learner's words add to each of some candidates, None where nothing.

    `words`: the kind of word that was said of each itself, None where it is only like what one was said of.
    """
    found: list[Reason | None] = []
    for value, word in zip((float(v) for v in added), words, strict=True):
        # A yes to what is like something that did not fit may come out below nothing.
        own = word is not None and (word != "accepted" or value > 0)
        found.append(reason("voice", f"voice_{word}" if own else "voice_alike", value) if value else None)
    return found


def planned_reason(contribution: float, *, planned: bool = True) -> Reason:
    """The place in the teacher's plan, where no model is served; not everything has one."""
    return reason("planned_order", "planned_order" if planned else "unplanned", contribution)


def wish_reasons(style: float, minutes: float, format_name: str) -> tuple[Reason | None, Reason | None]:
    """What the learner asked for, where no model is served."""
    return (
        reason("style", "style_declared", style, format=format_name) if style else None,
        reason("minutes", "minutes_declared", minutes) if minutes else None,
    )


def variety_reason(*, inquiry: bool = False) -> Reason:
    """Put in so that there is more than one way to work."""
    return reason("variety", "variety_inquiry" if inquiry else "variety", 0.0)


def put_in_reason(rule: Rule, due: str | None) -> Reason:
    """A teacher pinned or assigned this."""
    why = rule.reason or "no reason was given"
    if rule.verb == "assign":
        if due is not None:
            return reason("teacher", "assigned_due", 0.0, rule_id=rule.rule_id, why=why, due=due)
        return reason("teacher", "assigned", 0.0, rule_id=rule.rule_id, why=why)
    return reason("teacher", "pinned", 0.0, rule_id=rule.rule_id, why=why)


def comes_first_reason() -> Reason:
    """A rule puts this before what the engine alone would have shown."""
    return reason("rule", "rule_first", 0.0)


def lifted_reason(rule: Rule, added: float) -> Reason:
    """What a teacher's boost or demotion adds."""
    phrase = "rule_boost" if added > 0 else "rule_demote"
    return reason("rule", phrase, added, rule_id=rule.rule_id, why=rule.reason or "no reason was given")


def explored_reason(chance: float) -> Reason:
    """Drawn among near ties."""
    return reason("explored", "explored", 0.0, chance=chance)


def _done(rows: NDArray[np.int64], seen: NDArray[np.int32]) -> list[bool]:
    """Whether the learner took each of these rows up, by what they have `seen`, ascending."""
    if not len(seen):
        return [False] * len(rows)
    found: list[bool] = (seen.take(seen.searchsorted(rows), mode="clip") == rows).tolist()
    return found


def _others(contribution: float, votes: float, among: str, like: str) -> Reason:
    if like:
        return reason("others", "others_like", contribution, learners=votes, like=like)
    if votes < 1:
        return reason("others", "others_new", contribution, learners=votes, among=among)
    phrase = "others_one" if votes < _TWO else "others_few" if votes < _MANY else "others_many"
    phrase = "others_past" if contribution < 0 else phrase
    return reason("others", phrase, contribution, learners=votes, among=among)


def _course_time(contribution: float, votes: float | None) -> Reason | None:
    if not contribution:
        return None
    if votes is None:
        return _format(contribution)
    phrase = "course_time_other" if contribution < 0 else "course_time_next" if votes >= 1 else "course_time_near"
    return reason("course_time", phrase, contribution, learners=votes)


def _own_work(contribution: float, because: Sequence[tuple[str, str]] | None, like: str) -> Reason | None:
    """`because`: id and title of what speaks most for it; None where nothing was taken up yet."""
    if not contribution:
        return None
    if because is None:
        return reason("own_work", "features_more" if contribution > 0 else "features_less", contribution)
    if contribution < 0 or not because:
        return reason("own_work", "own_work_more" if contribution > 0 else "own_work_less", contribution)
    facts: dict[str, float | str] = {"because_of": " and ".join(f"“{title}”" for _, title in because)}
    for nth, (resource_id, title) in enumerate(because, 1):
        facts |= {f"resource_id_{nth}": resource_id, f"title_{nth}": title}
    if like:
        return reason("own_work", "own_work_like", contribution, like=like, **facts)
    return reason("own_work", "own_work", contribution, **facts)


def _format(contribution: float) -> Reason | None:
    if not contribution:
        return None
    return reason("format", "format_fits" if contribution > 0 else "format_unlike", contribution)


def _gains(
    positions: NDArray[np.int64], minutes: Sequence[float], told: Told
) -> list[tuple[int, dict[str, float | str]] | None]:
    """Of each candidate the skill that the step is worth most for, and what is said of it; None where it has none."""
    worth, known = told.learning.worth, told.learning.known
    found: list[tuple[int, dict[str, float | str]] | None] = []
    # Pairs stand in the order of candidates.
    ends = [worth.place.searchsorted(positions, side).tolist() for side in ("left", "right")]
    for place, takes, first, last in zip(positions.tolist(), minutes, *ends, strict=True):
        skills, gains = worth.skill[first:last].tolist(), worth.gain[first:last].tolist()
        if not skills:
            found.append(None)
            continue
        weights = [gain * value for gain, value in zip(gains, worth.value[skills].tolist(), strict=True)]
        best = weights.index(max(weights))
        facts: dict[str, float | str] = {
            "skill": told.title(skills[best]),
            "skill_id": told.menu.skills[skills[best]],
            "gain": gains[best],
            "minutes": takes,
            "mastery": float(known.mastery[skills[best]]),
            "p_success": float(known.p[place]),
        }
        found.append((skills[best], facts))
    return found


def _gain(contribution: float, best: tuple[int, dict[str, float | str]] | None, told: Told) -> Reason | None:
    """The skill that the step is worth most for."""
    if not contribution or best is None:
        return None
    skill, facts = best
    if contribution < 0:
        return reason("gain", "gain_lost", contribution, **facts)
    worth, known, needed = told.learning.worth, told.learning.known.known, told.menu.needed_by(skill)
    opens = worth.opens.get(skill)
    phrase = "gain" if opens is None else "gain_opens"
    if opens is not None:
        facts["opens"] = told.title(opens)
    elif known[skill] >= MASTERED:
        return reason("practice", "practice", contribution, known=float(known[skill]), **facts)
    if len(needed) and (missing := [q for q in needed.tolist() if known[q] < MASTERED]):
        weakest = min(missing, key=lambda q: (known[q], q))
        early = {"before": told.title(weakest), "before_id": told.menu.skills[weakest]}
        return reason("gain", f"{phrase}_early", contribution, reach=float(worth.readiness[skill]), **early, **facts)
    return reason("gain", phrase, contribution, **facts)


def _challenge(contribution: float, p: float, band: tuple[float, float]) -> Reason | None:
    if not contribution:
        return None
    low, high = band
    phrase = "challenge_hard" if p < low else "challenge_easy"
    return reason("challenge", phrase, contribution, p_success=p, low=low, high=high)


def _information(contribution: float, p: float) -> Reason | None:
    return reason("information", "information", contribution, p_success=p) if contribution else None


def _approach(contribution: float, row: int, told: Told) -> Reason | None:
    if not contribution:
        return None
    mine = set(told.menu.skills_of(row).tolist())
    loops = told.learning.loops
    stuck = next((k for k in loops if k in mine), None)
    if stuck is None:
        stuck = next((k for k in loops if mine & set(told.menu.needed_by(k).tolist())), loops[0])
    phrase = "approach_other" if contribution > 0 else "approach_same"
    return reason("approach", phrase, contribution, skill=told.title(stuck), n=float(N_LOOP))


def _repeat(contribution: float, row: int, told: Told) -> Reason | None:
    if row in told.again:
        return reason("repeat", "again", contribution, times=told.times(row), of=float(REPEATED_WITHIN))
    if not contribution:
        return None
    return reason("repeat", "repeat", contribution, times=told.times(row), of=float(REPEATED_WITHIN))


def _needed(added: Mapping[str, float], row: int, told: Told) -> list[Reason]:
    """Due reviews, promised checks and formats."""
    resource, needs = told.resources[row], told.learning.needs
    if resource is None:
        return []
    due, promised = needs.most_due(resource.skills), needs.promised(resource.skills)
    reasons: list[Reason] = []
    facts: dict[str, float | str]
    if due is not None and added["review"]:
        title, recall = told.titles.get(due, due), needs.reviews[due]
        evidence = evidence_of(told.state, skill_key(due))
        words = teacher_text(evidence, title, told.now_us)
        facts = {"skill": title, "skill_id": due, "recall": recall, "told": words, **facts_of(evidence)}
        reasons.append(reason("review", "review", added["review"], **facts))
    if promised is not None and added["check"]:
        title = told.titles.get(promised.skill_id, promised.skill_id)
        phrase = "check_known" if promised.because == "know_it" else "check_contested"
        facts = {"skill": title, "skill_id": promised.skill_id, "because": promised.because}
        reasons.append(reason("check", phrase, added["check"], **facts))
    if added["style"]:
        phrase = "style_declared" if resource.format in needs.declared else "style_observed"
        reasons.append(reason("style", phrase, added["style"], format=resource.format))
    return reasons


def _strongest(
    rows: NDArray[np.int64], query: Query, model: RelevanceModel, catalogue: Catalogue
) -> Sequence[Sequence[tuple[str, str]] | None]:
    """For each row id and title of up to two seen resources that speak most for it; None for who has no history."""
    seen = query.history.seen
    seen = seen[seen < model.n_resources]
    if len(seen) == 0:
        return [None] * len(rows)
    ids = catalogue.resource_map.ids
    found = model.ease.strongest(seen, rows).tolist()
    return [[(ids[row := int(seen[place])], catalogue.title(row)) for place in best if place >= 0] for best in found]
