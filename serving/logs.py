"""Logs a machine can read and that name no learner: one JSON object a line, on standard error."""

import asyncio
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

import msgspec

_encode = msgspec.json.Encoder().encode
# No more goes out at once: a pipe lets others in between what is longer.
_PIECE = 4_096


class JsonLog:
    """Writes lines in whole, so that several processes can share a file; a full disk stops no answer.

    What went as it should is written once in each turn of the loop, together with what else did.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[bytes] = []
        self._n_bytes = 0

    def info(self, event: str, **fields: object) -> None:
        """What went as it should."""
        line = _line("info", event, fields)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._write(line)
        if self._n_bytes + len(line) > _PIECE:
            self.flush()
        if not self._lines:
            loop.call_soon(self.flush)
        self._lines.append(line)
        self._n_bytes += len(line)
        return None

    def warning(self, event: str, **fields: object) -> None:
        """What somebody should look at one day."""
        self._write(_line("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        """What went wrong."""
        self._write(_line("error", event, fields))

    def flush(self) -> None:
        """Write what waits for the end of the turn; for the thread of the loop."""
        if self._lines:
            lines, self._lines, self._n_bytes = self._lines, [], 0
            self._write(b"".join(lines))

    def _write(self, lines: bytes) -> None:
        try:
            self._stream.write(lines.decode())
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


def _line(level: str, event: str, fields: dict[str, object]) -> bytes:
    fields |= {"event": event, "level": level, "timestamp": _now()}
    return _encode(fields) + b"\n"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"
