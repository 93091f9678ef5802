"""A server that holds its client up, at any place of its answer, is given up in time."""

from __future__ import annotations

import io
import itertools
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lying_server import Answer, lying_server

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor
from argosy.model.reference import Reference
from argosy.oci import paced, transport
from argosy.oci.open import open_registry

BLOB = Descriptor(media_type="application/wasm", digest=Digest.of(b"cargo"), size=5)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paced, "SLOW_SECONDS", 0.5)


def drip(beginning: bytes, piece: bytes) -> Iterator[bytes]:
    yield beginning
    while True:
        time.sleep(0.05)
        yield piece


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-Sea: ", b"w"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Sea: wine-dark\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nca", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nca", b"r"),
        (CHUNKED, b"0"),
        (CHUNKED + b"1;", b"x"),
    ],
)
def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch, beginning: bytes, piece: bytes) -> None:
    monkeypatch.setattr(transport, "READ_SECONDS", 0.7)
    blob = Descriptor(media_type="application/wasm", digest=Digest.of(b"cargo"), size=1_000_000)
    with lying_server(lambda asked: Answer(raw=itertools.islice(drip(beginning, piece), 200))) as server:
        registry = open_registry(Reference.parse(f"{server.host}/argo"), patience=0.1)
        begin = time.monotonic()
        with pytest.raises(ArgosyError, match=r"no answer in time|connection broke"):
            registry.blob(blob, io.BytesIO(), lambda amount: None)
        assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    "flood", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n" + b"X-Sea: wine-dark\r\n" * 50 + b"\r\n"]
)
def test_interim_answers_without_end_are_given_up(flood: bytes) -> None:
    with lying_server(lambda asked: Answer(raw=itertools.repeat(flood * 100))) as server:
        begin = time.monotonic()
        with pytest.raises(ArgosyError, match="connection broke"):
            open_registry(Reference.parse(f"{server.host}/argo"), patience=0.1).resolve("1.0")
        assert time.monotonic() - begin < 5


def test_headers_without_end_are_given_up() -> None:
    endless = itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X-Sea: wine-dark\r\n" * 100))
    with (
        lying_server(lambda asked: Answer(raw=endless)) as server,
        pytest.raises(ArgosyError, match="connection broke"),
    ):
        open_registry(Reference.parse(f"{server.host}/argo"), patience=0.1).resolve("1.0")


def test_a_slow_beginning_is_waited_for() -> None:
    def late() -> Iterator[bytes]:
        time.sleep(1.5)
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ncargo"

    with lying_server(lambda asked: Answer(raw=late())) as server:
        file = io.BytesIO()
        open_registry(Reference.parse(f"{server.host}/argo"), patience=5).blob(BLOB, file, lambda amount: None)
        assert file.getvalue() == b"cargo" and len(server.asked) == 1


def test_a_server_that_takes_nothing_is_given_up(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, (tmp_path / "cargo").open("w+b") as file:
        file.truncate(64 << 20)
        ours.settimeout(0.5)
        begin = time.monotonic()
        with pytest.raises(TimeoutError, match="hardly takes anything"):
            paced.FilePart(file=file, start=0, size=64 << 20).send(ours)
        assert time.monotonic() - begin < 5


def test_a_file_that_becomes_shorter_while_it_is_sent_is_told(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, (tmp_path / "cargo").open("w+b") as file:
        file.write(b"cargo")
        file.flush()
        ours.settimeout(0.5)
        part = paced.FilePart(file=file, start=2, size=5)
        with pytest.raises(OSError, match="become shorter"):
            part.send(ours)
        with pytest.raises(OSError, match="become shorter"):
            part.read()
        assert theirs.recv(10) == b"rgo"
