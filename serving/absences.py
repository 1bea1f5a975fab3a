"""Says once in the log when the database or Redis went away, and once when it is back."""

from dataclasses import dataclass, field

from serving.logs import JsonLog
from serving.storage.port import Store


@dataclass(frozen=True, slots=True)
class Absences:
    """What is away, with the seconds it was away for when last looked at."""

    log: JsonLog
    _away: dict[str, float] = field(init=False, default_factory=dict)

    def look(self, store: Store) -> None:
        """Look once; whoever looks more rarely than something comes and goes misses it."""
        for what, away_s in (("database", store.away_s()), ("redis", store.copies_away_s())):
            if away_s and what not in self._away:
                self.log.warning("away", what=what)
            elif not away_s and what in self._away:
                self.log.info("back", what=what, after_s=round(self._away.pop(what), 1), waiting=store.waiting())
            if away_s:
                self._away[what] = away_s
