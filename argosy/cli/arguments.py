"""The whole command line's grammar, and how a wrong one is told to its user."""

from __future__ import annotations

import argparse
import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from argosy import __version__
from argosy.cli.attest import add_attest, add_attestations
from argosy.cli.build import add_build
from argosy.cli.cache import add_cache
from argosy.cli.completion import add_completion
from argosy.cli.copy import add_copy, add_delete
from argosy.cli.doctor import add_doctor
from argosy.cli.inspect import add_inspect
from argosy.cli.keys import add_keys
from argosy.cli.listing import add_list
from argosy.cli.login import add_login
from argosy.cli.modulefile import add_modulefile
from argosy.cli.precompile import add_precompile, add_why_not
from argosy.cli.prefetch import add_prefetch
from argosy.cli.pull import add_pull, add_verify
from argosy.cli.push import add_push
from argosy.cli.rebuild import add_rebuild
from argosy.cli.run import add_run
from argosy.cli.sign import add_sign
from argosy.cli.slurm import add_slurm
from argosy.cli.trace import add_trace
from argosy.errors import UsageError, did_you_mean

_EPILOG = """\
a first run, from source to four ranks:
  argosy keys generate                                 a key pair to sign with
  argosy keys trust ~/.config/argosy/argosy.pub 'layout/**'
                                                       a policy: what it signs in folders of yours may run here
  argosy build hpcc                                    recipe -> build/hpcc/hpcc.wasm
  argosy push build/hpcc/hpcc.wasm oci:layout:hpcc     sign it and put it in a folder
  argosy run -n 4 --dir . oci:layout:hpcc              verify, compile for this CPU, start mpiexec

`argosy COMMAND --help` explains a command, with examples. `argosy doctor` says what this node has and lacks.
exit status: 0 done, 1 failed, 2 used wrongly, 130 interrupted; `argosy run` gives the application's own."""

_FAMILIES = (
    add_build,
    add_inspect,
    add_keys,
    add_push,
    add_sign,
    add_pull,
    add_verify,
    add_attest,
    add_attestations,
    add_rebuild,
    add_copy,
    add_delete,
    add_login,
    add_precompile,
    add_run,
    add_why_not,
    add_cache,
    add_trace,
    add_slurm,
    add_prefetch,
    add_modulefile,
    add_list,
    add_doctor,
    add_completion,
)


# argparse's words for a value that is not among an argument's choices.
_CHOICE = re.compile(r"invalid choice: '(?P<wrong>.*)' \(choose from (?P<known>.*)\)", re.DOTALL)

# What shells complete an argument with, in shtab's words for each shell.
_FILES = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}
_FOLDERS = {"bash": "_shtab_compgen_dirs", "zsh": "_files -/", "tcsh": "d"}
_COMPLETIONS = {"FILE": _FILES, "FOLDER": _FOLDERS, "HOST[::GUEST]": _FOLDERS}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are UsageErrors, like all others, and that takes no abbreviated options."""

    def __init__(self, **settings: object) -> None:
        settings.setdefault("allow_abbrev", False)
        settings.setdefault(
            "formatter_class", functools.partial(argparse.RawDescriptionHelpFormatter, max_help_position=32)
        )
        super().__init__(**settings)  # type: ignore[arg-type]

    def add_argument(self, *words: Any, **settings: Any) -> argparse.Action:
        action = super().add_argument(*words, **settings)
        completion = _COMPLETIONS.get(str(action.metavar), _FILES if action.type is Path else None)
        if completion is not None:
            vars(action)["complete"] = completion
        return action

    def error(self, message: str) -> NoReturn:
        advice = f"{self.format_usage().strip()}\n  more: {self.prog} --help"
        where = "" if self.prog == "argosy" else f"{self.prog}: "
        choice = _CHOICE.search(message)
        if choice:
            known = [word.strip(" '\"") for word in choice["known"].split(",")]
            raise UsageError(
                f"{where}{choice['wrong']!r} is unknown; {did_you_mean(choice['wrong'], known)}", advice=advice
            )
        raise UsageError(f"{where}{message}", advice=advice)


def grammar() -> Parser:
    """The grammar of `argosy` with all of its commands."""
    whole = Parser(
        prog="argosy",
        description="Build HPC codes once into signed WebAssembly; run them under this site's own MPI.",
        epilog=_EPILOG,
    )
    whole.add_argument("--version", action="version", version=f"argosy {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for add_family in _FAMILIES:
        add_family(commands)
    return whole


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options that `arguments` say; `act` is the function that does it. Raises UsageError naming what is wrong.

    What follows the first `--` is the application's, not parsed here, and is in `application`; `grammar` is the parser.
    """
    own, application = list(arguments), None
    if "--" in own:
        place = own.index("--")
        own, application = own[:place], own[place + 1 :]
    whole = grammar()
    options, unknown = whole.parse_known_args(own)
    takes_application = getattr(options, "takes_application", False)
    if unknown:
        raise _unknown(unknown[0], options.parser, takes_application)
    if application is not None and not takes_application:
        raise UsageError(
            f"{options.parser.prog} takes nothing after --", advice="only `argosy run` starts an application"
        )
    options.application = application or []
    options.grammar = whole
    return options


def _unknown(word: str, command: argparse.ArgumentParser, takes_application: bool) -> UsageError:
    advice = f"all that it takes: {command.prog} --help"
    if not word.startswith("-"):
        hint = "; the application's own arguments follow --" if takes_application else ""
        return UsageError(f"{command.prog}: {word!r} is one argument too many{hint}", advice=advice)
    known = [*re.findall(r"(?<![\w-])--?[a-z][a-z-]*", command.format_usage()), "--help"]
    return UsageError(
        f"{command.prog} has no option {word!r}; {did_you_mean(word.partition('=')[0], known)}", advice=advice
    )
