"""Everything Trailmate raises on purpose, as a tree.

    TrailmateError      one sentence that says what is wrong and what to do next
    ├── BadInput        what was given does not have the right form
    │   ├── BadLog      a log, a table or a file that cannot be read
    │   └── BadBundle   a bundle of another format version, incomplete or altered
    ├── Unknown         what was named does not exist
    ├── Refused         the caller may not do this
    └── Unavailable     something needed is away right now: a port, a disk, a store

The text never names a learner: it may reach a log line.
"""


class TrailmateError(Exception):
    """One sentence that says what is wrong and what to do next."""


class BadInput(TrailmateError):
    """What was given does not have the right form."""


class BadLog(BadInput):
    """A log, a table or a file that cannot be read."""


class BadBundle(BadInput):
    """A bundle of another format version, incomplete or altered."""


class Unknown(TrailmateError):
    """What was named does not exist."""


class Refused(TrailmateError):
    """The caller may not do this."""


class Unavailable(TrailmateError):
    """Something needed is away right now: a port, a disk, a store."""
