"""What an answer on peers says beside its options: to whoever asks, and in flags to teachers alone."""

from collections.abc import Sequence

from engine.collaborators.fairness import ALONE_DAYS, alone
from engine.collaborators.peers import Peer
from engine.collaborators.safeguards import Allowed
from serving.crowds import Gathered
from serving.schemas_together import CollaboratorsIn, PeerFlagOut

_MESSAGES = {
    "opted_out": "You chose not to be matched with others; whoever keeps your record can change that.",
    "enough_for_today": "That is enough for today: new partners come tomorrow.",
    "nobody": "There is nobody to suggest right now; ask your teacher whom to work with.",
}
_FLAGS = {
    "opted_out": "The learner chose not to be matched with others, so they are neither asked nor offered.",
    "nobody": "There is nobody the learner may be offered: look at rules, languages, and who is in the class.",
}
_AS = {
    "helper": "as a helper",
    "study_partner": "as a study partner",
    "project": "for a project",
    "new_people": "as somebody new",
}


def message_on(asked: CollaboratorsIn, peers: Sequence[Peer], may: Allowed) -> str | None:
    """What stands in the way, or what came in place of what was asked for; None where all is as asked."""
    if not peers:
        return _MESSAGES[may.why or "nobody"]
    if asked.modes is None or any(p.mode in asked.modes for p in peers):
        return None
    told = f"Nobody fits {' or '.join(_AS[mode] for mode in dict.fromkeys(asked.modes))} right now, so here is"
    other = asked.topic is not None and all(p.topic != asked.topic for p in peers)
    return f"{told} somebody new to work with{', though not on the topic that was asked for' if other else ''}."


def flags_on(gathered: Gathered, row: int, may: Allowed, now_us: int) -> list[PeerFlagOut]:
    """What a teacher should know of this learner."""
    learner_id = gathered.crowd.learner_ids[row]
    told = [PeerFlagOut(may.why, learner_id, _FLAGS[may.why])] if may.why in _FLAGS else []
    members = [r for r in range(len(gathered.crowd)) if may.same_class[r]]
    # Whoever chose to be on their own is told of as that, and not as somebody to look after.
    if gathered.crowd.open_[row] and row in (alone(gathered.contacts, members, now_us) or ()):
        words = (
            f"Nobody worked with the learner in the last {ALONE_DAYS} days, while most of the class had somebody: "
            "a good moment to look after that."
        )
        told.append(PeerFlagOut("alone", learner_id, words))
    return told
