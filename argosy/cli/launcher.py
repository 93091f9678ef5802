"""What the commands have in common that build the launcher: the options, and building what they name."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

MPI_HELP = "by its mpicc (default: $ARGOSY_MPICC, else PATH's)"


def add_launcher_options(parser: argparse.ArgumentParser) -> None:
    """The options that ask for the launcher, and for which MPI library."""
    parser.add_argument("--launcher", action="store_true", help="also build the launcher, which the first run would")
    parser.add_argument("--mpi", metavar="MPICC", help=f"the MPI library that it is for, {MPI_HELP}")


def choose_mpi(options: argparse.Namespace) -> None:
    """Let what follows in this process, and what it starts, use the MPI library that `--mpi` names."""
    if options.mpi is not None:
        os.environ["ARGOSY_MPICC"] = options.mpi


def asked_launcher(options: argparse.Namespace, *, uses_mpi: bool) -> Path | None:
    """The launcher for a module that does or does not use MPI, built where it is absent; None where nobody asked."""
    from argosy.launcher import build, mpi_library

    if not options.launcher:
        return None
    choose_mpi(options)
    return build.launcher(mpi_library.find() if uses_mpi else None)
