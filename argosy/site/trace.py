"""Traces of MPI: what each rank wrote, and the summary over all ranks.

`argosy run --trace mpi=FOLDER` has each rank write `FOLDER/rank-R.jsonl`, R its rank in MPI_COMM_WORLD: JSON objects,
one a line (JSON Lines). Times are seconds of CLOCK_MONOTONIC, sizes are bytes.

- First a header: `format` "argosy-mpi-trace", `version` 1, `rank`, `size` (of MPI_COMM_WORLD), `host`, `pid`,
  `program`, `library` (the node's MPI), `ended` (`finalized`, `exited` without MPI_Finalize, `trapped`, `aborted`,
  `terminated` by SIGTERM or SIGINT), `began_unix_s` (wall clock at the first call of MPI), `wall_s` (from then to the
  return of MPI_Finalize or the rank's end), `mpi_s` (the part of it inside MPI), `in_call` (the function that had not
  returned at the rank's end, or null) and `in_call_s`.
- For each function that was called: `function`, `calls`, `bytes_sent` and `bytes_received`, `time_s`, `time_min_s` and
  `time_max_s`.
- For each rank of MPI_COMM_WORLD that messages were sent to: `to`, `messages`, `bytes`. That counts point-to-point
  sends, not collectives.

Bytes are those of message buffers, count times size of datatype, of calls that succeeded: of a send what it sends, of a
receive the room that it gives, of a collective what this rank gives and has room for, whatever the library does to
carry it out; of one-sided and file operations what is written or read. Persistent and partitioned operations count
their calls and no bytes, and what MPI_IN_PLACE stands for in place of a buffer with a count of its own is not counted.
Functions that need no node, such as MPI_Get_address, are not seen, nor are processes that
MPI_Comm_spawn starts.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argosy.errors import ArgosyError

FORMAT, VERSION = "argosy-mpi-trace", 1


@dataclass(frozen=True, kw_only=True)
class FunctionTrace:
    """One function on one rank."""

    function: str
    calls: int
    bytes_sent: int
    bytes_received: int
    time_s: float
    time_min_s: float
    time_max_s: float


@dataclass(frozen=True, kw_only=True)
class PeerTrace:
    """Messages to one rank."""

    to: int
    messages: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class RankTrace:
    """One rank's file."""

    rank: int
    size: int
    host: str
    pid: int
    program: str
    library: str
    ended: str
    began_unix_s: float
    wall_s: float
    mpi_s: float
    in_call: str | None
    in_call_s: float
    functions: tuple[FunctionTrace, ...]
    peers: tuple[PeerTrace, ...]


@dataclass(frozen=True, kw_only=True)
class FunctionSummary:
    """One function over all ranks. Times are of single ranks' sums: all ranks' together, the least (0 on a rank that
    never called it), the greatest and the mean; `call_max_s` is the longest single call."""

    function: str
    calls: int
    bytes_sent: int
    bytes_received: int
    time_sum_s: float
    time_min_s: float
    time_max_s: float
    time_mean_s: float
    call_max_s: float


@dataclass(frozen=True, kw_only=True)
class RankSummary:
    """One rank: how it ended, and its share of wall time inside MPI."""

    rank: int
    host: str
    ended: str
    wall_s: float
    mpi_s: float
    mpi_share: float
    in_call: str | None
    bytes_sent: int
    bytes_received: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All ranks; `missing` are those that left no file. Functions by time, the longest first."""

    program: str
    library: str
    size: int
    missing: tuple[int, ...]
    functions: tuple[FunctionSummary, ...]
    ranks: tuple[RankSummary, ...]
    sent: tuple[tuple[int, PeerTrace], ...]


def prepare_folder(folder: Path, *, clean: bool) -> Path:
    """Make the folder, see that files can be written there, remove an earlier job's where `clean`; its whole path.

    Raises ArgosyError where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink(missing_ok=True)
        if clean:
            for path in [*folder.glob("rank-*.jsonl"), folder / "summary.json", folder / "trace.png"]:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise ArgosyError(
            f"cannot write traces to {folder}: {error.strerror or error}", advice="name another: --trace mpi=FOLDER"
        ) from error
    return folder.absolute()


def read(folder: Path) -> tuple[RankTrace, ...]:
    """What the ranks wrote, by rank. Raises ArgosyError where there is nothing, or a file that is none of ours."""
    files = sorted(folder.glob("rank-*.jsonl"))
    if not files:
        raise ArgosyError(
            f"{folder} holds no trace: no rank called MPI, or none could write", advice="see the messages"
        )
    return tuple(sorted((_read_rank(path) for path in files), key=lambda trace: trace.rank))


def _read_rank(path: Path) -> RankTrace:
    try:
        header, *lines = [json.loads(line) for line in path.read_text().splitlines()]
        if header.pop("format") != FORMAT or header.pop("version") != VERSION:
            raise ValueError("it has another format")
        functions = tuple(FunctionTrace(**line) for line in lines if "function" in line)
        peers = tuple(PeerTrace(**line) for line in lines if "to" in line)
        return RankTrace(**header, functions=functions, peers=peers)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArgosyError(f"{path} is not a trace that this version of Argosy reads: {error}") from error


def summarize(ranks: Sequence[RankTrace]) -> Summary:
    """The summary over these ranks, of which there is at least one."""
    size = max(trace.size for trace in ranks)
    names = {function.function for trace in ranks for function in trace.functions}
    functions = sorted((_function(name, ranks) for name in names), key=lambda one: (-one.time_sum_s, one.function))
    return Summary(
        program=ranks[0].program,
        library=" ".join(ranks[0].library.partition("\n")[0].split()),
        size=size,
        missing=tuple(sorted(set(range(size)) - {trace.rank for trace in ranks})),
        functions=tuple(functions),
        ranks=tuple(_rank(trace) for trace in ranks),
        sent=tuple((trace.rank, peer) for trace in ranks for peer in trace.peers),
    )


def _function(name: str, ranks: Sequence[RankTrace]) -> FunctionSummary:
    found = [[one for one in trace.functions if one.function == name] for trace in ranks]
    every = [one for ones in found for one in ones]
    times = [sum(one.time_s for one in ones) for ones in found]
    return FunctionSummary(
        function=name,
        calls=sum(one.calls for one in every),
        bytes_sent=sum(one.bytes_sent for one in every),
        bytes_received=sum(one.bytes_received for one in every),
        time_sum_s=sum(times),
        time_min_s=min(times),
        time_max_s=max(times),
        time_mean_s=statistics.fmean(times),
        call_max_s=max(one.time_max_s for one in every),
    )


def _rank(trace: RankTrace) -> RankSummary:
    return RankSummary(
        rank=trace.rank,
        host=trace.host,
        ended=trace.ended,
        wall_s=trace.wall_s,
        mpi_s=trace.mpi_s,
        mpi_share=min(1.0, trace.mpi_s / trace.wall_s) if trace.wall_s > 0 else 0.0,
        in_call=trace.in_call,
        bytes_sent=sum(one.bytes_sent for one in trace.functions),
        bytes_received=sum(one.bytes_received for one in trace.functions),
    )


def matrix(summary: Summary) -> list[list[int]]:
    """Bytes of point-to-point messages, from the row's rank to the column's."""
    bytes_sent = [[0] * summary.size for _ in range(summary.size)]
    for rank, peer in summary.sent:
        bytes_sent[rank][peer.to] += peer.bytes
    return bytes_sent


def as_json(value: Any) -> str:
    """A dataclass as indented JSON."""
    from dataclasses import asdict

    return json.dumps(asdict(value), indent=2) + "\n"
