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
        self._waiting: list[dict[str, object]] = []

    def info(self, event: str, **fields: object) -> None:
        """What went as it should."""
        fields |= {"event": event, "level": "info", "timestamp": datetime.now(UTC)}
        if not self._waiting:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:
                return self._write(_line(fields))
        self._waiting.append(fields)
        return None

    def warning(self, event: str, **fields: object) -> None:
        """What somebody should look at one day."""
        self._write(_line(fields | {"event": event, "level": "warning", "timestamp": datetime.now(UTC)}))

    def error(self, event: str, **fields: object) -> None:
        """What went wrong."""
        self._write(_line(fields | {"event": event, "level": "error", "timestamp": datetime.now(UTC)}))

    def flush(self) -> None:
        """Write what waits for the end of the turn; for the thread of the loop."""
        piece, self._waiting, waiting = b"", [], self._waiting
        for fields in waiting:
            line = _line(fields)
            if piece and len(piece) + len(line) > _PIECE:
                self._write(piece)
                piece = b""
            piece += line
        if piece:
            self._write(piece)

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


def _line(fields: dict[str, object]) -> bytes:
    return _encode(fields) + b"\n"
