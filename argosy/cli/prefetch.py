"""`argosy prefetch`: what a list names, verified, fetched and compiled ahead of its use, again and again."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from argosy.cli.artifacts import add_trust_options, trust_words, verified
from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.launcher import add_launcher_options, asked_launcher
from argosy.cli.output import print_json, print_pairs, printable
from argosy.errors import ArgosyError, UsageError

_EPILOG = """\
examples:
  argosy prefetch artifacts.txt                        what the list names; what is here already costs one request
  argosy prefetch --launcher artifacts.txt             and what starts the ranks
  argosy prefetch --units ~/.config/systemd/user --every 1h artifacts.txt
      writes argosy-prefetch.service, .timer and .path, which do so every hour and whenever the list changes:
        systemctl --user daemon-reload
        systemctl --user enable --now argosy-prefetch.timer argosy-prefetch.path
        loginctl enable-linger                         also while nobody is logged in

The list has one reference a line; # begins a comment. A tag that was moved to a new version is pulled, verified by the
policy and compiled for this CPU; one that is not accepted is told, and what is here stays.

exit status: 0 everything is ready, 1 something is not."""
_LARGEST = 1 << 20


def add_prefetch(commands: Commands) -> None:
    """Add `prefetch` to the command line."""
    parser = add_command(
        commands, "prefetch", "verify, fetch and compile what a list names, ahead of its use", epilog=_EPILOG, act=_act
    )
    parser.add_argument("list", type=Path, metavar="FILE", help="references, one a line")
    add_launcher_options(parser)
    parser.add_argument("--units", type=Path, metavar="FOLDER", help="only write units for systemd, which do this")
    parser.add_argument("--every", default="1h", metavar="SPAN", help="how often the timer does it (default: 1h)")
    add_trust_options(parser)
    add_json(parser)


def _act(options: argparse.Namespace) -> int:
    if options.units is not None:
        return _write_units(options)
    rows = [_prefetch(options, text) for text in read_list(options.list)]
    if options.json:
        print_json({"artifacts": rows})
    else:
        for row in rows:
            print_pairs([(key, printable(str(value))) for key, value in row.items() if value is not None])
    return 1 if any(row["problem"] for row in rows) else 0


def read_list(path: Path) -> list[str]:
    """The references in the file. Raises UsageError naming the line that holds none."""
    from argosy.site.slurm_job import absolute

    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    if len(data) > _LARGEST:
        raise UsageError(f"{path} has more than {_LARGEST} bytes", advice="write several lists")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            found.append(str(absolute(" ".join(words))))
        except UsageError as error:
            raise UsageError(f"{path}:{number}: {error.what}", advice=error.advice) from error
    return list(dict.fromkeys(found))


def _prefetch(options: argparse.Namespace, text: str) -> dict[str, object]:
    from argosy.site.precompile import for_this_cpu

    row: dict[str, object] = {"artifact": text, "digest": None, "native_code": None, "did": None, "problem": None}
    try:
        module = verified(options, text)
        row["digest"] = module.manifest_digest
        entry = for_this_cpu(module.path, module.digest, module.numerics)
        asked_launcher(options, uses_mpi=entry.uses_mpi)
        row |= {"native_code": entry.path, "did": "compiled" if entry.compiled else "nothing: it was ready"}
    except ArgosyError as error:  # the others are not to wait for it
        row["problem"] = error.what
    return row


def _write_units(options: argparse.Namespace) -> int:
    from argosy.files import write_whole
    from argosy.site import hook_script, units

    read_list(options.list)
    watched = options.list.absolute()
    command = [*hook_script.argosy_command(), "prefetch"]
    command += ["--launcher"] if options.launcher else []
    command += [f"--mpi={options.mpi}"] if options.mpi else []
    command += trust_words(options)
    kept = {name: os.environ[name] for name in ("ARGOSY_CACHE", "ARGOSY_STATE") if os.environ.get(name)}
    made = units.prefetch_units([*command, str(watched)], {**hook_script.settings(), **kept}, watched, options.every)
    for name, text in made.items():
        write_whole(options.units / name, text.encode())
    if options.json:
        print_json({"units": [options.units.absolute() / name for name in made]})
    else:
        print_pairs([("written", "\n".join(str(options.units / name) for name in made))])
        print("next: systemctl --user daemon-reload")
        print(f"      systemctl --user enable --now {units.NAME}.timer {units.NAME}.path")
    return 0
