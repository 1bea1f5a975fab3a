"""Lines of the log go out in one piece, and a log that cannot be written stops nothing."""

import errno
import io

from serving.logs import json_log


class Stream(io.StringIO):
    def __init__(self, *, full: bool = False) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._full = full

    def write(self, text: str) -> int:
        if self._full:
            raise OSError(errno.ENOSPC, "no space left")
        self.pieces.append(text)
        return len(text)


def test_a_line_is_one_piece_so_that_processes_can_share_a_file() -> None:
    stream = Stream()
    log = json_log(stream)
    log.info("one", n=1)
    log.error("two", words="line\nfeed")
    assert [piece.count("\n") for piece in stream.pieces] == [1, 1]
    assert all(piece.startswith("{") and piece.endswith("}\n") for piece in stream.pieces)


def test_a_full_disk_stops_nobody_who_writes_to_the_log() -> None:
    json_log(Stream(full=True)).error("one")
