"""What was made of the learners asked for last, so that who did nothing new is not made up anew.

What stands here was made of the very events that a context holds, by the very recommender that answers: where either is
another object, nothing is taken. So an answer is the same with and without it.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.history import History
from engine.domain.interaction import Interaction
from engine.learner.preferences import Preferences
from engine.learner.state import LearnerState
from engine.learner.voices import Spoken
from engine.recommender import Recommender
from serving.in_group import Seats, seats_in
from serving.storage.port import KeptState

# Some 20 KB each, and some 60 more once they were answered with both objectives.
_MOST = 1_000


@dataclass(slots=True, kw_only=True)
class Made:
    """What the events of one learner come to beside one recommender.

    `kept` is what of it is known to be stored, `made_content` the bytes of the state where they were made already.
    """

    interactions: Sequence[Interaction]
    recommender: Recommender
    history: History
    preferences: Preferences
    state: LearnerState | None
    spoken: tuple[Spoken, ...] | None
    kept: KeptState | None
    made_content: bytes | None = None
    _seats: Seats | None = None

    @property
    def content(self) -> bytes:
        """The state in its bytes, made once; only where there is a state."""
        if self.made_content is None:
            assert self.state is not None
            self.made_content = self.state.to_bytes()
        return self.made_content

    @property
    def seats(self) -> Seats:
        """Where the events say that the learner sits, looked up once."""
        if self._seats is None:
            self._seats = seats_in(self.interactions)
        return self._seats

    def is_stored(self, kept: KeptState | None, seq: int) -> bool:
        """Whether what is stored is this very state, up to the event `seq`."""
        if kept is not self.kept and kept is not None and kept.seq == seq and kept.content == self.content:
            self.kept = kept
        return kept is not None and kept is self.kept


class AtHand:
    """The learners asked for last, by tenant and id; any thread may ask."""

    def __init__(self, *, most: int = _MOST) -> None:
        self._made: OrderedDict[tuple[str, str], Made] = OrderedDict()
        self._most = most
        self._turn = threading.Lock()

    def of(
        self, tenant: str, learner_id: str, interactions: Sequence[Interaction], recommender: Recommender
    ) -> Made | None:
        """What was made of these very events; None where they, or what answers, are others by now."""
        with self._turn:
            made = self._made.get((tenant, learner_id))
            if made is None or made.interactions is not interactions or made.recommender is not recommender:
                return None
            self._made.move_to_end((tenant, learner_id))
            return made

    def keep(self, tenant: str, learner_id: str, made: Made) -> None:
        """In place of what was made of them before; who was not asked for longest goes."""
        with self._turn:
            self._made[tenant, learner_id] = made
            self._made.move_to_end((tenant, learner_id))
            if len(self._made) > self._most:
                self._made.popitem(last=False)

    def clear(self) -> None:
        """Forget everybody."""
        with self._turn:
            self._made.clear()
