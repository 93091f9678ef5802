"""`argosy build`: SCons, in the folder that has the SConstruct."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from argosy.cli.commands import Commands, add_command
from argosy.errors import ArgosyError, UsageError

_EPILOG = """\
examples:
  argosy build                      every recipe
  argosy build hpcc -j 2            one recipe, two jobs at once
  argosy build list                 the recipes that there are
  argosy build -C ~/mycode          the SConstruct of another folder
  argosy build NUMERICS=exact hello a build variable, as `scons -h` lists them

It is SCons that builds: `argosy build X` does what `scons X` does in the same folder, and `scons -h` there explains
targets and variables."""


def add_build(commands: Commands) -> None:
    """Add `build` to the command line."""
    parser = add_command(commands, "build", "build recipes into wasm, by SCons", epilog=_EPILOG, act=_build)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help="a recipe, a target such as `check`, or NAME=VALUE"
    )
    parser.add_argument(
        "-C",
        "--folder",
        type=Path,
        metavar="FOLDER",
        default=Path(),
        help="the folder of the SConstruct (default: this)",
    )
    parser.add_argument("-j", "--jobs", type=int, help="how many jobs run at once")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be built, and build nothing")
    parser.add_argument("-c", "--clean", action="store_true", help="remove what was built")


def _build(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("SCons") is None:
        raise ArgosyError(
            "SCons is not installed, and building needs it", advice=f"{sys.executable} -m pip install 'argosy[build]'"
        )
    folder: Path = options.folder
    if not (folder / "SConstruct").is_file():
        raise UsageError(
            f"there is no SConstruct in {folder.absolute()}",
            advice="go to the folder that has it, or name it: argosy build --folder FOLDER",
        )
    if options.jobs is not None and options.jobs < 1:
        raise UsageError(f"--jobs {options.jobs}: at least one job is needed")
    words = [sys.executable, "-m", "SCons", "-C", str(folder)]
    words += [f"-j{options.jobs}"] if options.jobs else []
    words += ["-n"] if options.dry_run else []
    words += ["-c"] if options.clean else []
    sys.stdout.flush()
    # SCons takes this process's place: its signals and its exit status are the user's own.
    os.execv(sys.executable, [*words, *options.targets])
