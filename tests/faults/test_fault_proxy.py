"""The proxy that faults are injected with does what it is told, or the tests that stand on it would show nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.fault_proxy import FAIR, Weather, standing_before


@contextmanager
def echo(listener: socket.socket) -> Iterator[None]:
    """Whoever comes hears what they said."""

    def answer(line: socket.socket) -> None:
        with closing(line), suppress(OSError):
            while said := line.recv(65536):
                line.sendall(said)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.fixture
def port() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    with echo(listener):
        yield listener.getsockname()[1]


def said(line: socket.socket, words: bytes) -> bytes:
    line.sendall(words)
    came = b""
    while len(came) < len(words):
        piece = line.recv(65536)
        if not piece:
            break
        came += piece
    return came


def taken(line: socket.socket, words: bytes = b"x") -> float:
    began = time.monotonic()
    assert said(line, words) == words
    return time.monotonic() - began


def called(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


def test_in_fair_weather_every_byte_passes_in_order_and_is_counted(port: int) -> None:
    words = bytes(range(256)) * 2_000
    with standing_before(port) as proxy, called(proxy.port) as line:
        assert said(line, words) == words
        # What has passed is counted a moment later.
        until = time.monotonic() + 10
        while proxy.passed < 2 * len(words) and time.monotonic() < until:
            time.sleep(0.01)
        assert proxy.passed == 2 * len(words)


def test_a_socket_of_the_file_system_may_stand_behind_it(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    with echo(listener), standing_before(str(tmp_path / "s")) as proxy, called(proxy.port) as line:
        assert said(line, b"hello") == b"hello"


def test_a_delay_is_waited_both_ways_and_ends_with_the_weather(port: int) -> None:
    with standing_before(port) as proxy, called(proxy.port) as line:
        proxy.set(Weather(delay_s=0.05, jitter_s=0.02))
        assert min(taken(line) for _ in range(3)) >= 0.1
        # Pieces that are on their way keep their order, whatever jitter each of them was given.
        pieces = [bytes([i]) * 10 for i in range(20)]
        for piece in pieces:
            line.sendall(piece)
            time.sleep(0.001)
        came = b""
        while len(came) < 200:
            came += line.recv(65536)
        assert came == b"".join(pieces)
        proxy.set(FAIR)
        assert min(taken(line) for _ in range(5)) < 0.1


def test_a_narrow_line_takes_as_long_as_its_width_says(port: int) -> None:
    with standing_before(port) as proxy, called(proxy.port) as line:
        proxy.set(Weather(bytes_per_s=100_000))
        assert taken(line, b"x" * 10_000) >= 0.2


def test_what_is_swallowed_arrives_when_the_weather_changes(port: int) -> None:
    with standing_before(port) as proxy, called(proxy.port) as line:
        assert said(line, b"before") == b"before"
        proxy.set(Weather(swallows=True))
        line.settimeout(0.2)
        line.sendall(b"lost?")
        with pytest.raises(TimeoutError):
            line.recv(10)
        line.settimeout(5)
        proxy.set(FAIR)
        assert line.recv(10) == b"lost?"


def test_lines_are_cut_and_new_ones_refused_or_taken(port: int) -> None:
    with standing_before(port) as proxy:
        with called(proxy.port) as line:
            assert said(line, b"one") == b"one"
            proxy.cut()
            with suppress(ConnectionResetError):
                assert line.recv(10) == b""
        proxy.set(Weather(refuses=True))
        with called(proxy.port) as line, suppress(ConnectionResetError, BrokenPipeError):
            assert said(line, b"two") == b""
        proxy.set(FAIR)
        with called(proxy.port) as line:
            assert said(line, b"three") == b"three"


@pytest.mark.parametrize(("n", "heard"), [(0, b""), (3, b""), (5, b""), (7, b"he"), (10, b"hello")])
def test_a_line_is_cut_after_exactly_so_many_bytes(port: int, n: int, heard: bytes) -> None:
    with standing_before(port) as proxy, called(proxy.port) as line:
        proxy.cut_after(n)
        came = b""
        with suppress(ConnectionResetError):
            came = said(line, b"hello")
            assert line.recv(1) == b""
        assert came == heard or len(came) == 0
        assert proxy.passed == n
        proxy.cut_after(None)
        with called(proxy.port) as other:
            assert said(other, b"again") == b"again"
