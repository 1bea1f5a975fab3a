"""Why a peer is offered, once for the learner and once for the teacher: no number of one is told another."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.collaborators.crowd import Crowd
from engine.collaborators.peers import Peer


@dataclass(frozen=True, slots=True)
class PeerReason:
    """`text_learner` speaks of topics alone; `text_teacher` and its `evidence` of both learners."""

    code: str
    text_learner: str
    text_teacher: str
    evidence: dict[str, float | str] = field(default_factory=dict)


def reasons_of(crowd: Crowd, row: int, peer: Peer, *, likely: float) -> tuple[PeerReason, ...]:
    """The reasons of one option; `likely`: how well the two go together, one half where nothing says."""
    told = [_WORDS[peer.mode](crowd, row, peer)]
    if not peer.lately:
        told.append(
            PeerReason(
                "not_lately",
                "You have not worked together lately.",
                "They are not among each other's last partners.",
            )
        )
    if likely > _WELL:
        told.append(
            PeerReason(
                "goes_well",
                "Working together may go well.",
                "What happened between learners so far speaks for the two.",
                {"likely": round(likely, 3)},
            )
        )
    return tuple(told)


_WELL = 0.65
# So many of the goals, and of the formats, that two share are named.
_NAMED = 2
# The usual names of formats in a sentence; any other is quoted as the school wrote it.
_FORMATS = {
    "project": "projects",
    "video": "videos",
    "exercise": "exercises",
    "reading": "reading",
    "discussion": "discussions",
    "game": "games",
    "quiz": "quizzes",
    "simulation": "simulations",
    "experiment": "experiments",
}


def _helper(crowd: Crowd, row: int, peer: Peer) -> PeerReason:
    title = crowd.title(peer.topic or "")
    return PeerReason(
        "can_explain",
        f"Can explain {title}: ask how, and try the next one yourself.",
        f"Mastered {title} ({_known(crowd, peer.row, peer.topic)}); the learner is ready for it "
        f"({_known(crowd, row, peer.topic)}). Helped {peer.helped} of {peer.limit} times this week.",
        {
            **_evidence(crowd, row, peer.row, peer.topic),
            "share_left": round(peer.share, 3),
            "helped": peer.helped,
            "limit": peer.limit,
        },
    )


def _study_partner(crowd: Crowd, row: int, peer: Peer) -> PeerReason:
    title, back = crowd.title(peer.topic or ""), crowd.title(peer.in_return or "")
    return PeerReason(
        "each_explains",
        f"Take turns: you explain {back}, they explain {title}.",
        f"Each is strong where the other is not: {title} ({_known(crowd, peer.row, peer.topic)} for the peer, "
        f"{_known(crowd, row, peer.topic)} for the learner) and {back} ({_known(crowd, row, peer.in_return)} for the "
        f"learner, {_known(crowd, peer.row, peer.in_return)} for the peer).",
        {**_evidence(crowd, row, peer.row, peer.topic), "in_return": peer.in_return or ""},
    )


def _project(crowd: Crowd, row: int, peer: Peer) -> PeerReason:
    told = zip(("are working towards", "like"), _shared(crowd, row, peer), strict=True)
    want = " and ".join(f"{verb} {_listed(names)}" for verb, names in told if names)
    shares = f"they share {peer.mine:.0%} of what the learner and {peer.theirs:.0%} of what the peer said"
    return PeerReason(
        "same_interest",
        f"Both of you {want}: make something of it together.",
        f"Both {want}; {shares}.",
        {"interest": peer.topic or "", "mine": round(peer.mine, 3), "theirs": round(peer.theirs, 3)},
    )


def _shared(crowd: Crowd, row: int, peer: Peer) -> tuple[list[str], list[str]]:
    """What both aim at and which formats both asked for, in words, what the option is about first."""
    both = [name for name, own in zip(crowd.interests, crowd.likes[row] & crowd.likes[peer.row], strict=True) if own]
    both.sort(key=lambda name: name != peer.topic)
    goals = [crowd.title(name) for name in both if name.startswith("goal:")]
    formats = [name.partition(":")[2] for name in both if name.startswith("format:")]
    return goals, [_FORMATS.get(name, f"what is made as “{name}”") for name in formats]


def _listed(names: Sequence[str]) -> str:
    """The first few of them in one phrase."""
    some = names[:_NAMED]
    return some[0] if len(some) == 1 else f"{', '.join(some[:-1])} and {some[-1]}"


def _new_people(crowd: Crowd, row: int, peer: Peer) -> PeerReason:
    # That both may work on a topic says nothing of how far either has come.
    about = f"You can work on {crowd.title(peer.topic)} together." if peer.topic else "You can get to know each other."
    teacher = f" Both are ready for {crowd.title(peer.topic)} and have not mastered it." if peer.topic else ""
    return PeerReason(
        "new_people",
        about,
        f"Partners rotate, so that everybody gets to know everybody.{teacher}",
        _evidence(crowd, row, peer.row, peer.topic),
    )


_WORDS = {"helper": _helper, "study_partner": _study_partner, "project": _project, "new_people": _new_people}


def _known(crowd: Crowd, row: int, skill: str | None) -> str:
    a = crowd.abilities
    if skill not in a.skills:
        return "unknown"
    k = a.skills.index(skill)
    p, n = float(a.mastery[row, k]), int(a.answers[row, k])
    return "nothing known yet" if np.isnan(p) else f"{p:.0%} on {n} answer{'' if n == 1 else 's'}"


def _evidence(crowd: Crowd, row: int, other: int, skill: str | None) -> dict[str, float | str]:
    a, told = crowd.abilities, dict[str, float | str]()
    if skill is None or skill not in a.skills:
        return told
    k = a.skills.index(skill)
    told["skill"] = skill
    for name, at in (("learner", row), ("peer", other)):
        told[f"{name}_answers"] = int(a.answers[at, k])
        if not np.isnan(a.mastery[at, k]):
            told[f"{name}_mastery"] = round(float(a.mastery[at, k]), 3)
    return told
