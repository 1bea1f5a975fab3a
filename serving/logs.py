"""Logs a machine can read and that name no learner: one JSON object a line, on standard error."""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

import msgspec

_encode = msgspec.json.Encoder().encode


class JsonLog:
    """Writes each line in one piece, so that several processes can share a file; a full disk stops no answer."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def info(self, event: str, **fields: object) -> None:
        """What went as it should."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """What somebody should look at one day."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """What went wrong."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        fields |= {"event": event, "level": level, "timestamp": _now()}
        try:
            self._stream.write(_encode(fields).decode() + "\n")
            self._stream.flush()
        except OSError:
            # Where it cannot be written nobody is worse off.
            return


def json_log(stream: TextIO = sys.stderr) -> JsonLog:
    """A log of its own, so that nothing global is set when it is made."""
    return JsonLog(stream)


def where(error: BaseException) -> list[str]:
    """Where an unforeseen error came from, the last five frames; never its message, which may hold a learner's data."""
    return [
        f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)[-5:]
    ]


class LibraryLogs(logging.Handler):
    """Passes warnings of libraries on into our log, as their name and template, without what was filled in."""

    def __init__(self, log: JsonLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self._log.warning("library", logger=record.name, template=str(record.msg))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"
