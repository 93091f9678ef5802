"""The whole command line's grammar, and how a wrong one is told to its user."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from argosy import __version__
from argosy.cli.build import add_build
from argosy.cli.completion import add_completion
from argosy.cli.doctor import add_doctor
from argosy.cli.inspect import add_inspect
from argosy.errors import UsageError, did_you_mean

_EPILOG = """\
a first run, from source to four ranks:
  argosy keys generate                                   a key pair to sign with
  argosy build hpcc                                      recipe -> build/hpcc/hpcc.wasm
  argosy push build/hpcc/hpcc.wasm oci:layout:hpcc       sign it and put it in a folder
  argosy run -n 4 oci:layout:hpcc                        verify, compile for this CPU, start mpiexec

`argosy COMMAND --help` explains a command, with examples. `argosy doctor` says what this node has and lacks.
exit status: 0 done, 1 failed, 2 used wrongly, 130 interrupted; `argosy run` gives the application's own."""

_FAMILIES = (add_build, add_inspect, add_doctor, add_completion)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are UsageErrors, like all others, and that takes no abbreviated options."""

    def __init__(self, **settings: object) -> None:
        settings.setdefault("allow_abbrev", False)
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**settings)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, advice=f"{self.format_usage().strip()}\n  more: {self.prog} --help")


def parser() -> tuple[Parser, dict[str, Parser]]:
    """The grammar of `argosy`, and each command's own by its name."""
    whole = Parser(
        prog="argosy",
        description="Build HPC codes once into signed WebAssembly; run them under this site's own MPI.",
        epilog=_EPILOG,
    )
    whole.add_argument("--version", action="version", version=f"argosy {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", dest="command", parser_class=Parser)
    for add_family in _FAMILIES:
        add_family(commands)
    return whole, dict(commands.choices)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options that `arguments` say; `act` is the function that does it. Raises UsageError naming what is wrong.

    What follows the first `--` is the application's, not parsed here, and is in `application`; `grammar` is the parser.
    """
    whole, commands = parser()
    own, application = _split(list(arguments))
    for word in own:
        if word.startswith("-"):
            continue
        if word not in commands:
            raise UsageError(
                f"there is no command {word!r}; {did_you_mean(word, commands)}", advice="all: argosy --help"
            )
        break
    options, unknown = whole.parse_known_args(own)
    if options.command is None:
        whole.error("a command is needed")
    chosen = commands[options.command]
    if unknown:
        raise UsageError(_unknown(unknown[0], chosen), advice=f"all that it takes: {chosen.prog} --help")
    if application is not None and not getattr(options, "takes_application", False):
        raise UsageError(f"{chosen.prog} takes nothing after --", advice="only `argosy run` starts an application")
    options.application = application or []
    options.grammar = whole
    return options


def _split(arguments: list[str]) -> tuple[list[str], list[str] | None]:
    if "--" not in arguments:
        return arguments, None
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]


def _unknown(word: str, command: Parser) -> str:
    if not word.startswith("-"):
        hint = (
            "the application's own arguments follow --" if command.get_default("takes_application") else "one too many"
        )
        return f"{command.prog} does not take {word!r}: {hint}"
    known = [option for action in command._actions for option in action.option_strings]
    return f"{command.prog} has no option {word!r}; {did_you_mean(word.partition('=')[0], known)}"
