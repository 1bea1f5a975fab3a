"""Lines of the log go out in one piece, and a log that cannot be written stops nothing."""

import asyncio
import errno
import io
import json

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


def test_what_went_well_is_written_once_in_each_turn_and_never_more_than_a_pipe_takes_whole() -> None:
    stream = Stream()
    log = json_log(stream)

    async def run() -> None:
        for n in range(3):
            log.info("one", n=n)
        assert not stream.pieces
        log.error("what went wrong is told at once")
        await asyncio.sleep(0)
        assert [piece.count("\n") for piece in stream.pieces] == [1, 3]
        for n in range(100):
            log.info("one", n=n)
        await asyncio.sleep(0)
        log.info("last")
        log.flush()
        await asyncio.sleep(0)

    asyncio.run(run())
    assert max(map(len, stream.pieces)) <= 4_096
    lines = [json.loads(line) for line in "".join(stream.pieces).splitlines()]
    assert [line.get("n") for line in lines] == [None, 0, 1, 2, *range(100), None]


def test_a_full_disk_stops_nobody_who_writes_to_the_log() -> None:
    json_log(Stream(full=True)).error("one")
