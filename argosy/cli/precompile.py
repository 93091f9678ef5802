"""`argosy precompile` and `argosy why-not`: native code for this CPU or for others, and which of them can run what."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.launcher import add_launcher_options, asked_launcher
from argosy.cli.module import add_module_options, chosen_module
from argosy.cli.output import columns, print_json, print_pairs, printable
from argosy.errors import UsageError

if TYPE_CHECKING:
    from argosy.model.target import Target

_PRECOMPILE_EPILOG = """\
examples:
  argosy precompile registry.site/hpc/hpcc:1.5          verify, fetch, compile for this CPU
  argosy precompile --for rpi4 --for rpi5 REF           on any 64-bit Arm: for a Raspberry Pi 4, and for a 5
  argosy precompile --for node7.cpuinfo REF             for the machine whose /proc/cpuinfo that is
  argosy precompile --json oci:layout:hpcc | jq -r .path
  argosy precompile --bounds check REF                  for jobs whose addresses are limited (ulimit -v); slower
  argosy precompile --launcher REF                      and build what starts its ranks, against this node's MPI
  argosy precompile --unsigned build/hpcc/hpcc.wasm     your own build, not verified

The next `argosy run` of the same module on such a CPU starts at once. Code for a profile (`argosy doctor --cpu` lists
them) runs on that CPU and on every one that has more: one login node prepares for many alike."""
_WHY_NOT_EPILOG = """\
examples:
  argosy why-not rpi5                      can this machine run code for a Raspberry Pi 5?
  argosy why-not x86-64-v4 --on n7.cpuinfo can that machine, whose /proc/cpuinfo this is?
  argosy why-not entry.cwasm --on rpi4     can a Raspberry Pi 4 run this native code?

exit status: 0 it runs, 1 it does not."""


def add_precompile(commands: Commands) -> None:
    """Add `precompile` to the command line."""
    parser = add_command(
        commands, "precompile", "compile a verified module for this CPU", epilog=_PRECOMPILE_EPILOG, act=_precompile
    )
    parser.add_argument(
        "--for",
        dest="profiles",
        action="append",
        default=[],
        metavar="CPU",
        help="compile for this instead: a profile, a machine's /proc/cpuinfo as a file, or host (may be repeated)",
    )
    parser.add_argument(
        "--if-needed", action="store_true", help="compile only where nothing in the cache runs on this CPU"
    )
    parser.add_argument(
        "--bounds",
        metavar="HOW",
        help="find what is out of bounds by guard pages, which take 4 GiB of addresses (guard), or in the code, where "
        "`ulimit -v` gives less (check); default: as this process's own limit asks for",
    )
    add_launcher_options(parser)
    add_module_options(parser)
    add_json(parser)


def add_why_not(commands: Commands) -> None:
    """Add `why-not` to the command line."""
    parser = add_command(
        commands, "why-not", "say whether a CPU runs code, and what it lacks", epilog=_WHY_NOT_EPILOG, act=_why_not
    )
    parser.add_argument("code", metavar="CODE", help="a profile, a /proc/cpuinfo, or a .cwasm file of native code")
    parser.add_argument("--on", default="host", metavar="CPU", help="a profile or a /proc/cpuinfo (default: host)")
    add_json(parser)


def _precompile(options: argparse.Namespace) -> int:
    from argosy.site import cpu, engine, profiles
    from argosy.site.precompile import for_this_cpu, precompile

    bounds = None if options.bounds is None else engine.parse_bounds(options.bounds)
    if options.if_needed and options.profiles:
        raise UsageError("--if-needed is about this CPU: it goes without --for")
    wanted = [profiles.parse(text) for text in options.profiles or [profiles.HOST]]
    for profile in wanted:  # before anything is fetched
        cpu.require_compilable(profile.target)
    module = chosen_module(options, [profile.target for profile in wanted])
    if options.if_needed:
        entries = [for_this_cpu(module.path, module.digest, module.numerics, bounds)]
    else:
        entries = [
            precompile(module.path, module.digest, module.numerics, profile.target, bounds) for profile in wanted
        ]
    launcher = asked_launcher(options, uses_mpi=any(entry.uses_mpi for entry in entries))
    if options.json:
        rows = [
            {"for": profile.name, "target": profile.target, **vars(entry), "launcher": launcher}
            for profile, entry in zip(wanted, entries, strict=True)
        ]
        print_json(rows if options.profiles else rows[0])
        return 0
    print_pairs([("application", module.name)])
    for profile, entry in zip(wanted, entries, strict=True):
        did = "compiled now" if entry.compiled else "found in the cache"
        print_pairs(
            [
                ("for", f"{profile.name}: {profile.title}" if options.profiles else ""),
                ("native code", f"{entry.path}, {did}"),
                ("compiled since", entry.refused),
            ]
        )
    print_pairs([("launcher", str(launcher or ""))])
    return 0


def _why_not(options: argparse.Namespace) -> int:
    from argosy.site import profiles
    from argosy.site.precompile import why_not

    machine = profiles.parse(options.on)
    code = _code_target(options.code)
    reason = why_not(machine.target, code)
    if options.json:
        missing = machine.target.missing_for(code)
        print_json({"runs": not reason, "why_not": reason, "missing": missing, "code": code, "cpu": machine.target})
    else:
        print(f"{printable(options.code)} on {printable(machine.name)}: {reason or 'it runs'}")
        if not reason and code.features:
            print(columns(sorted(code.features)))
    return 1 if reason else 0


def _code_target(text: str) -> Target:
    from argosy.build.inspect import read_file
    from argosy.site import elf, profiles

    if text.endswith(".cwasm"):
        return elf.read(read_file(Path(text)), name=text).target
    return profiles.parse(text).target
