"""`argosy trace`, and what `argosy run --trace mpi` says at the end: the summary over what the ranks wrote."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.output import printable, size
from argosy.errors import ArgosyError

if TYPE_CHECKING:
    from argosy.site.trace import Summary

_EPILOG = """\
examples:
  argosy trace argosy-trace                 calls, bytes and time by function; the share of MPI on each rank
  argosy trace --json argosy-trace | jq .functions[0]
  argosy trace --plot trace.png argosy-trace

The folder is one that `argosy run --trace mpi=FOLDER` wrote; under srun, ask when the job is done. The format of its
files: help(argosy.site.trace)."""
_MOST_RANKS = 16


def add_trace(commands: Commands) -> None:
    """Add `trace` to the command line."""
    parser = add_command(commands, "trace", "say what a traced run spent in MPI", epilog=_EPILOG, act=_trace)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what --trace mpi=FOLDER named")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a picture (PNG; needs matplotlib)")
    add_json(parser)


def _trace(options: argparse.Namespace) -> int:
    from argosy.site.trace import as_json, read, summarize
    from argosy.site.trace_plot import plot

    summary = summarize(read(options.folder))
    if options.plot is not None:
        plot(summary, options.plot)
    if options.json:
        print(as_json(summary), end="")
    else:
        _print(summary, sys.stdout)
    return 0


def show(folder: Path) -> None:
    """After a run: the summary on stderr, for stdout is the application's; summary.json and trace.png in the folder."""
    from argosy.files import write_whole
    from argosy.site.trace import as_json, read, summarize
    from argosy.site.trace_plot import plot

    try:
        summary = summarize(read(folder))
        write_whole(folder / "summary.json", as_json(summary).encode())
        _print(summary, sys.stderr)
        written = "summary.json"
        try:
            plot(summary, folder / "trace.png")
            written += ", trace.png"
        except ArgosyError as error:
            print(f"no plot: {error}; {error.advice}", file=sys.stderr)
        print(f"in {folder}: a file for each rank, {written}", file=sys.stderr)
    except ArgosyError as error:  # the application has run, and its status is the command's
        print(f"argosy: {error}", file=sys.stderr)


def _print(summary: Summary, stream: TextIO) -> None:
    print(f"MPI of {printable(summary.program)} on {summary.size} ranks, {printable(summary.library)}", file=stream)
    rows: list[tuple[str, ...]] = [("function", "calls", "sent", "received", "sum s", "min s", "max s", "mean s")]
    rows += [
        (
            one.function,
            f"{one.calls}",
            size(one.bytes_sent) if one.bytes_sent else "-",
            size(one.bytes_received) if one.bytes_received else "-",
            *(f"{time:.6f}" for time in (one.time_sum_s, one.time_min_s, one.time_max_s, one.time_mean_s)),
        )
        for one in summary.functions
    ]
    _table(rows, stream)
    ranks = sorted(summary.ranks, key=lambda rank: -rank.mpi_share)
    rows = [("rank", "in MPI", "MPI s", "wall s", "sent", "received", "ended")]
    rows += [
        (
            f"{rank.rank}",
            f"{100 * rank.mpi_share:.1f} %",
            f"{rank.mpi_s:.6f}",
            f"{rank.wall_s:.6f}",
            size(rank.bytes_sent),
            size(rank.bytes_received),
            rank.ended + (f" in {rank.in_call}" if rank.in_call else ""),
        )
        for rank in sorted(ranks[:_MOST_RANKS], key=lambda rank: rank.rank)
    ]
    print(file=stream)
    _table(rows, stream)
    if len(ranks) > _MOST_RANKS:
        print(f"and {len(ranks) - _MOST_RANKS} ranks that spent less of their time in MPI", file=stream)
    if summary.missing:
        missing = ", ".join(map(str, summary.missing[:_MOST_RANKS]))
        print(f"no trace of {len(summary.missing)} ranks: {missing}", file=stream)


def _table(rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    """The first column to the left, numbers to the right, the last of a table of ranks as it is."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip(), file=stream)
