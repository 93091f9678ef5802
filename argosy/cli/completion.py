"""`argosy completion`: what teaches a shell to complete Argosy's commands and options."""

from __future__ import annotations

import argparse

from argosy.cli.commands import Commands, add_command

_SHELLS = ("bash", "zsh", "tcsh")
_EPILOG = """\
examples:
  argosy completion bash > ~/.local/share/bash-completion/completions/argosy
  argosy completion zsh > ~/.zsh/completions/_argosy      (a folder of $fpath)
  argosy completion tcsh >> ~/.cshrc
  eval "$(argosy completion bash)"                        for this shell only"""


def add_completion(commands: Commands) -> None:
    """Add `completion` to the command line."""
    parser = add_command(commands, "completion", "print a shell's completion script", epilog=_EPILOG, act=_complete)
    parser.add_argument("shell", choices=_SHELLS, help="the shell to print it for")


def _complete(options: argparse.Namespace) -> int:
    import shtab

    print(shtab.complete(options.grammar, options.shell))
    return 0
