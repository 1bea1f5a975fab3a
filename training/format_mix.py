"""Which formats other learners take up in a week of a course, and which of them are still left to a learner."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME
from training.log import Log
from training.votes import Votes, votes_of

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_WEEK_US = 7 * 86_400_000_000
# Pseudo-events with which a week leans on its course, and a course on everything.
_SMOOTHING = 20.0


@dataclass(frozen=True, slots=True)
class FormatEvents:
    """First engagements with what is needed to guess their formats, sorted by learner and then by time.

    `learner`, `resource`, `course`, `format`: `(n,)` rows. `cell`: `(n,)`, a row for each week of each course.
    `at_us`: `(n,)` microseconds since 1970.
    """

    learner_ids: tuple[str, ...]
    formats: tuple[str, ...]
    learner: Rows
    resource: Rows
    course: Rows
    cell: Rows
    format: Rows
    at_us: Rows

    def __len__(self) -> int:
        return len(self.learner)

    def part(self, rows: slice) -> "FormatEvents":
        """These events; rows of learners and formats stay what they are."""
        columns = (self.learner, self.resource, self.course, self.cell, self.format, self.at_us)
        return FormatEvents(self.learner_ids, self.formats, *(column[rows] for column in columns))

    @property
    def moment_starts(self) -> Rows:
        """The first event of each moment of each learner."""
        new = np.diff(self.learner, prepend=-1).astype(bool) | np.diff(self.at_us, prepend=0).astype(bool)
        return np.flatnonzero(new)


def format_events_of(log: Log) -> FormatEvents:
    """The first engagements of a log that carry a time; none where the log has no clock."""
    votes = votes_of(log)
    told = dict(log.resources().select("resource_id", "format").iter_rows())
    of_resource = [told.get(x_id, "other") for x_id in votes.resource_ids]
    formats = tuple(sorted(set(of_resource)))
    row_of = {name: row for row, name in enumerate(formats)}
    kept = np.flatnonzero(votes.at_us != NO_TIME)
    kept = kept[np.lexsort((votes.at_us[kept], votes.learner[kept]))]
    resource = votes.resource[kept].astype(np.int64)
    return FormatEvents(
        learner_ids=tuple(votes.learner_ids),
        formats=formats,
        learner=votes.learner[kept].astype(np.int64),
        resource=resource,
        course=votes.course[kept].astype(np.int64),
        cell=_weeks(votes)[kept],
        format=np.array([row_of[f] for f in of_resource], dtype=np.int64)[resource],
        at_us=votes.at_us[kept],
    )


def _weeks(votes: Votes) -> Rows:
    """A row for each week of each course; weeks of the calendar where a class has no first day."""
    starts = votes.class_starts_us[votes.school_class]
    week = (votes.at_us - np.where(starts == NO_TIME, 0, starts)) // _WEEK_US
    told = np.stack([votes.course.astype(np.int64), (starts == NO_TIME).astype(np.int64), week], axis=1)
    return np.unique(told, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Mixes:
    """What formats are guessed from: the tallies of everything, of each course and of each of its weeks."""

    everything: "_Tally"
    course: "_Tally"
    cell: "_Tally"

    @classmethod
    def of(cls, events: FormatEvents) -> "Mixes":
        """The mixes of these events."""
        groups = (np.zeros_like(events.course), events.course, events.cell)
        return cls(*(_Tally.of(group, events) for group in groups))

    def whole(self, part: FormatEvents) -> Floats:
        """The mix each event is guessed from, the learner's own events left out: `(n, n_formats)`.

        Formats that nobody ever took up in the course have no share.
        """
        return self._leant(part, self.course.of_others(part.course, part), self.cell.of_others(part.cell, part))

    def left(self, part: FormatEvents) -> Floats:
        """The same mix of resources the learner had not taken up before: a first engagement can be with no other."""
        course = self.course.of_others(part.course, part) - self.course.taken_before(part.course, part)
        cell = self.cell.of_others(part.cell, part) - self.cell.taken_before(part.cell, part)
        return self._leant(part, course, cell)

    def _leant(self, part: FormatEvents, course: Floats, cell: Floats) -> Floats:
        everything = self.everything.of_others(np.zeros_like(part.course), part)
        wide = _leaning(everything, np.full(len(part.formats), 1.0 / len(part.formats)), 1.0)
        wide *= self.course.by_format[part.course] > 0
        wide /= wide.sum(axis=1, keepdims=True)
        return _leaning(cell, _leaning(course, wide, _SMOOTHING), _SMOOTHING)


@dataclass(frozen=True, slots=True)
class _Tally:
    """First engagements by group: `by_format` `(n_groups, n_formats)`, and by group and resource as sorted keys."""

    by_format: Floats
    keys: Rows
    n_of_key: Floats
    n_resources: int

    @classmethod
    def of(cls, group: Rows, events: FormatEvents) -> "_Tally":
        n_resources = int(events.resource.max(initial=0)) + 1
        keys, n_of_key = np.unique(group * n_resources + events.resource, return_counts=True)
        by_format = format_table(group, events.format, len(events.formats))
        return cls(by_format, keys, n_of_key.astype(np.float64), n_resources)

    def of_others(self, group: Rows, part: FormatEvents) -> Floats:
        """Counts of each event's group without the event's learner: `(n, n_formats)`."""
        pair = _pairs(part.learner, group)
        return self.by_format[group] - format_table(pair, part.format, len(part.formats))[pair]

    def taken_before(self, group: Rows, part: FormatEvents) -> Floats:
        """Counts by other learners of the resources this learner had taken up before each event: `(n, n_formats)`."""
        n, pair = len(part), _pairs(part.learner, group)
        in_pairs = np.lexsort((np.arange(n), pair))
        pair_first = np.flatnonzero(np.diff(pair[in_pairs], prepend=-1))
        last = in_pairs[np.append(pair_first[1:], n) - 1]
        first_of_learner = np.searchsorted(part.learner, part.learner[last])
        which, earlier = _ranges(first_of_learner, last)
        n_others = self._n(group[last][which], part.resource[earlier]) - (group[earlier] == group[last][which])
        which, earlier, n_others = (column[n_others > 0] for column in (which, earlier, n_others))
        # An earlier event counts from the first event of the pair whose moment starts after it.
        starts = part.moment_starts
        moment_start = np.repeat(starts, np.diff(starts, append=n))[in_pairs]
        place = np.searchsorted(pair[in_pairs] * n + moment_start, which * n + earlier, side="right")
        inside = place < np.append(pair_first[1:], n)[which]
        slots = (place * len(part.formats) + part.format[earlier])[inside]
        added = np.bincount(slots, n_others[inside], n * len(part.formats)).reshape(n, -1).astype(np.float64)
        summed = np.cumsum(added, axis=0)
        summed -= (summed[pair_first] - added[pair_first])[pair[in_pairs]]
        result = np.empty_like(summed)
        result[in_pairs] = summed
        return result

    def _n(self, group: Rows, resource: Rows) -> Floats:
        """How often each resource was taken up in each group: `(m,)`."""
        wanted = group * self.n_resources + resource
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[place] == wanted, self.n_of_key[place], 0.0)


def _pairs(learner: Rows, group: Rows) -> Rows:
    """A row for each learner and group that occur together: `(n,)`."""
    pairs: Rows = np.unique(learner * (int(group.max(initial=0)) + 1) + group, return_inverse=True)[1].reshape(-1)
    return pairs


def _ranges(starts: Rows, stops: Rows) -> tuple[Rows, Rows]:
    """All whole numbers in each range, and which range each belongs to."""
    sizes = stops - starts
    which = np.repeat(np.arange(len(sizes)), sizes)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(sizes) - sizes - starts, sizes)


def _leaning(counts: Floats, on: Floats, strength: float) -> Floats:
    """Shares of the counts with so many pseudo-events of a wider mix."""
    shares: Floats = (counts + strength * on) / (counts.sum(axis=-1, keepdims=True) + strength)
    return shares


def format_table(rows: Rows, formats: Rows, n_formats: int) -> Floats:
    """Counts `(max(rows) + 1, n_formats)`."""
    n_rows = int(rows.max(initial=-1)) + 1
    counts = np.bincount(rows * n_formats + formats, minlength=n_rows * n_formats)
    return counts.reshape(n_rows, n_formats).astype(np.float64)
