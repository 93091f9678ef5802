"""`argosy slurm`: what a cluster's scheduler calls, and what its users submit."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.launcher import add_launcher_options
from argosy.cli.output import print_json, print_pairs, printable
from argosy.cli.slurm_jobs import add_run, add_submit
from argosy.cli.slurm_precompile import add_precompile

if TYPE_CHECKING:
    from argosy.site.slurm_prolog import Outcome, Settings

_EPILOG = """\
for an administrator, once:
  argosy slurm prolog --write /etc/slurm/argosy-prolog --closed --launcher --policy /etc/argosy/policy.toml

for users:
  argosy slurm submit -n 64 --nodes 4 --time 30 --submit registry.site/hpc/hpcc:1.5

`argosy slurm COMMAND --help` explains each."""
_PROLOG_EPILOG = """\
slurmd calls it on each node of a job before the job starts. It verifies by the policy, and compiles for the node's CPU,
  - what the job's comment names: words argosy=REF[,REF] (`argosy slurm submit` writes one);
  - what $SPANK_ARGOSY_ARTIFACTS names, where a plug-in of Slurm hands it over;
  - what --manifest names for the job's partition:
      [[prepare]]
      artifacts = ["registry.site/hpc/hpcc:1.5"]
      partitions = ["batch", "arm*"]                     (left out: all)

examples:
  argosy slurm prolog --write /etc/slurm/argosy-prolog --closed --launcher
                          writes the script, with these options and this Python's path, for slurm.conf:
                            Prolog=/etc/slurm/argosy-prolog
                            PrologFlags=Alloc,DeferBatch
  SLURM_JOB_ID=1 SLURM_JOB_UID=0 SLURM_JOB_COMMENT=argosy=REF argosy slurm prolog --json
                          try it by hand

What cannot be made ready (not trusted, not reachable, too late) stops nothing unless --closed: then the job is
cancelled, with the reason as its AdminComment (scontrol show job). The prolog itself succeeds in both cases, for Slurm
drains the node of a prolog that fails; only where a job can neither be made ready nor cancelled does it fail.
Without PrologFlags=Alloc Slurm calls it on a node with the job's first step there, when others of the job run already;
DeferBatch keeps a batch script from starting before all of its nodes are ready.
--seconds is to be less than slurm.conf's PrologEpilogTimeout and BatchStartTimeout, by half a minute.

The code goes into the site's cache ($ARGOSY_SITE_CACHE, else /var/cache/argosy), which users read and slurmd's user
owns; --as-user does all in the job's user's own cache instead, with that user's rights. Where users may name any place,
that is also what keeps root from going there."""


def add_slurm(commands: Commands) -> None:
    """Add `slurm` to the command line."""
    parser = add_command(commands, "slurm", "make a cluster's nodes ready, and submit jobs", epilog=_EPILOG)
    actions: Commands = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    _add_prolog(actions)
    add_submit(actions)
    add_run(actions)
    add_precompile(actions)


def _add_prolog(actions: Commands) -> None:
    parser = add_command(
        actions,
        "prolog",
        "make this node ready for the job that slurmd is about to start",
        epilog=_PROLOG_EPILOG,
        act=_prolog,
    )
    parser.add_argument("--closed", action="store_true", help="cancel a job whose artifacts cannot be made ready")
    parser.add_argument("--seconds", type=float, default=120.0, metavar="N", help="for all of it (default: 120)")
    parser.add_argument("--manifest", type=Path, metavar="FILE", help="what to have ready besides, by partition")
    parser.add_argument("--as-user", action="store_true", help="as the job's user, in that user's cache")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="the cache to fill (default: the site's)")
    add_launcher_options(parser)
    parser.add_argument(
        "--bounds", metavar="HOW", help="as of `argosy precompile`: check where VSizeFactor limits jobs"
    )
    parser.add_argument(
        "--policy", type=Path, help="the trust policy (default: $ARGOSY_POLICY, the user's, the site's)"
    )
    parser.add_argument("--plain-http", action="store_true", help="use http where a registry has no TLS")
    parser.add_argument("--write", type=Path, metavar="FILE", help="only write the script for slurm.conf")
    add_json(parser)


def _prolog(options: argparse.Namespace) -> int:
    from argosy.site import engine
    from argosy.site.slurm_prolog import Settings, prepare_job

    bounds = None if options.bounds is None else engine.parse_bounds(options.bounds)
    settings = Settings(
        closed=options.closed,
        seconds=options.seconds,
        policy=_whole(options.policy),
        manifest=_whole(options.manifest),
        as_user=options.as_user,
        cache=_whole(options.cache),
        launcher=options.launcher,
        mpicc=options.mpi,
        bounds=bounds,
        plain_http=options.plain_http,
    )
    if options.write is not None:
        return _write_prolog(options.write, settings, as_json=options.json)
    outcome = prepare_job(os.environ, settings)
    _log(outcome)
    if options.json:
        print_json(outcome)
    else:
        _show(outcome)
    return 0


def _whole(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _log(outcome: Outcome) -> None:
    """What went wrong goes to the system's log: nobody reads a prolog's output."""
    import syslog

    for line in filter(
        None, [outcome.refused, *(one.problem and f"{one.reference}: {one.problem}" for one in outcome.prepared)]
    ):
        syslog.syslog(syslog.LOG_WARNING, f"argosy: job {outcome.job}: {printable(line)}")
        print(f"argosy: job {outcome.job}: {printable(line)}", file=sys.stderr)


def _show(outcome: Outcome) -> None:
    for one in outcome.prepared:
        print_pairs(
            [
                ("artifact", printable(one.reference)),
                (
                    "ready",
                    "" if one.problem else f"{one.path}, {'compiled' if one.compiled else 'found'} in {one.seconds} s",
                ),
                ("not ready", printable(one.problem)),
            ]
        )
    print_pairs([("job", "cancelled" if outcome.refused else "starts")])


def _told_comments() -> bool:
    from argosy.errors import ArgosyError
    from argosy.site.slurm_commands import tells_comment

    try:
        return tells_comment()
    except ArgosyError:  # the script may be written where there is no Slurm
        return False


def _write_prolog(path: Path, settings: Settings, *, as_json: bool) -> int:
    from argosy.files import write_whole
    from argosy.site.hook_script import prolog_script

    words = ["slurm", "prolog", "--seconds", f"{settings.seconds:g}"]
    for option, value in (
        ("--manifest", settings.manifest),
        ("--policy", settings.policy),
        ("--cache", settings.cache),
    ):
        words += [option, str(value)] if value else []
    words += ["--mpi", settings.mpicc] if settings.mpicc else []
    words += ["--bounds", settings.bounds] if settings.bounds else []
    flags = {
        "--closed": settings.closed,
        "--as-user": settings.as_user,
        "--launcher": settings.launcher,
        "--plain-http": settings.plain_http,
    }
    words += [option for option, given in flags.items() if given]
    text = prolog_script(words, closed=settings.closed, looks_at_comment=settings.manifest is None and _told_comments())
    write_whole(path, text.encode(), mode=0o755)
    lines = [f"Prolog={path.absolute()}", "PrologFlags=Alloc,DeferBatch"]
    if as_json:
        print_json({"script": path.absolute(), "slurm_conf": lines})
    else:
        print_pairs([("written", str(path)), ("slurm.conf", "\n".join(lines))])
    return 0
