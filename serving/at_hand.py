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

# So much memory, about: 1,200 learners with 40 events who ask for `uptake`, 700 for `learning`, 500 for both in turns.
_MOST_BYTES = 48_000_000
# What is held of each in any case, and of each skill they answered on; what one answer comes to, which is not kept yet
# when somebody is counted who is about to be answered.
_BARE, _MEMORY, _ANSWER = 2_500, 120, 30_000


@dataclass(slots=True, kw_only=True)
class Made:
    """What the events of one learner come to beside one recommender.

    `kept` is what of it is known to be stored, `made_content` the bytes of the state where they were made already,
    `counted` the bytes that it was last counted with.
    """

    interactions: Sequence[Interaction]
    recommender: Recommender
    history: History
    preferences: Preferences
    state: LearnerState | None
    spoken: tuple[Spoken, ...] | None
    kept: KeptState | None
    made_content: bytes | None = None
    counted: int = 0
    _seats: Seats | None = None

    @property
    def n_bytes(self) -> int:
        """About how much memory is held of them, beside their events."""
        of_state = 0 if self.state is None else self.state.blocks.nbytes + _MEMORY * len(self.state.memories)
        return _BARE + of_state + max(self.history.n_bytes, _ANSWER)

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
    """The learners asked for last, by tenant and id, as many as `most_bytes` hold; any thread may ask."""

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        self._made: OrderedDict[tuple[str, str], Made] = OrderedDict()
        self._most_bytes, self._n_bytes = most_bytes, 0
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
            # Answers are kept with it: it was smaller when it was counted last.
            self._count(made)
            return made

    def keep(self, tenant: str, learner_id: str, made: Made) -> None:
        """In place of what was made of them before; who was not asked for longest goes."""
        with self._turn:
            before = self._made.pop((tenant, learner_id), None)
            self._n_bytes -= before.counted if before is not None else 0
            self._made[tenant, learner_id] = made
            self._count(made)

    def clear(self) -> None:
        """Forget everybody."""
        with self._turn:
            self._made.clear()
            self._n_bytes = 0

    def _count(self, made: Made) -> None:
        n_bytes = made.n_bytes
        self._n_bytes += n_bytes - made.counted
        made.counted = n_bytes
        while self._n_bytes > self._most_bytes and len(self._made) > 1:
            _, oldest = self._made.popitem(last=False)
            self._n_bytes -= oldest.counted
