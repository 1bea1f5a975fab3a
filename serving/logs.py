"""Logs a machine can read and that name no learner: one JSON object a line, on standard error."""

import logging
import sys
import traceback
from contextlib import suppress
from typing import Any, TextIO, cast

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger


def json_log(stream: TextIO = sys.stderr) -> FilteringBoundLogger:
    """A log of its own, so that nothing global is set when it is made."""
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(serializer=_text),
    ]
    logger = structlog.wrap_logger(_Lines(stream), processors=processors)
    return cast(FilteringBoundLogger, logger)


class _Lines:
    """Writes each line in one piece, so that several processes can share a file; a full disk stops no answer."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write one line; where it cannot be written nobody is worse off."""
        with suppress(OSError):
            self._stream.write(f"{line}\n")
            self._stream.flush()

    debug = info = warning = error = critical = msg


def where(error: BaseException) -> list[str]:
    """Where an unforeseen error came from, the last five frames; never its message, which may hold a learner's data."""
    return [
        f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)[-5:]
    ]


class LibraryLogs(logging.Handler):
    """Passes warnings of libraries on into our log, as their name and template, without what was filled in."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self._log.warning("library", logger=record.name, template=str(record.msg))


def _text(line: Any, **_options: Any) -> str:
    return msgspec.json.encode(line).decode()
