"""Modulefiles, for Lmod (Lua) and Environment Modules (Tcl, which Lmod reads too): Argosy itself, or one application.

An application is named by its digest, so what `module load` gives does not change when a tag moves. Argosy's own folder
of programs goes to the end of PATH: beside `argosy` it may hold a Python and an mpicc that are not to come before the
site's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from argosy.errors import UsageError

Form = Literal["lua", "tcl"]
FORMS: tuple[Form, ...] = ("lua", "tcl")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(/[A-Za-z0-9][A-Za-z0-9._+-]*)*")


@dataclass(frozen=True, kw_only=True)
class Modulefile:
    """What loading it does. `about` are lines `whatis` shows; `path` goes to the end of PATH."""

    help: str
    about: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    depends: tuple[str, ...] = ()

    def text(self, form: Form) -> str:
        """The file's text. Raises UsageError for the name of a module that is none."""
        for name in self.depends:
            if not _NAME.fullmatch(name):
                raise UsageError(f"not the name of a module: {name!r}", advice="as in mpich/4.2")
        return self._lua() if form == "lua" else self._tcl()

    def _lua(self) -> str:
        lines = ["-- Written by `argosy modulefile`.", f"help({lua(self.help)})"]
        lines += [f"whatis({lua(f'{key}: {value}')})" for key, value in self.about.items()]
        lines += [f"depends_on({lua(name)})" for name in self.depends]
        lines += [f'append_path("PATH", {lua(self.path)})'] if self.path else []
        lines += [f"setenv({lua(name)}, {lua(value)})" for name, value in self.variables.items()]
        lines += [f"set_alias({lua(name)}, {lua(value)})" for name, value in self.aliases.items()]
        return "\n".join([*lines, ""])

    def _tcl(self) -> str:
        lines = ["#%Module", "# Written by `argosy modulefile`."]
        lines += [f"proc ModulesHelp {{ }} {{ puts stderr {tcl(self.help)} }}"]
        lines += [f"module-whatis {tcl(f'{key}: {value}')}" for key, value in self.about.items()]
        lines += [f"module load {tcl(name)}" for name in self.depends]
        lines += [f"append-path PATH {tcl(self.path)}"] if self.path else []
        lines += [f"setenv {tcl(name)} {tcl(value)}" for name, value in self.variables.items()]
        lines += [f"set-alias {tcl(name)} {tcl(value)}" for name, value in self.aliases.items()]
        return "\n".join([*lines, ""])


def lua(text: str) -> str:
    """The text as a string of Lua."""
    return '"' + "".join(_lua_letter(letter) for letter in text) + '"'


def _lua_letter(letter: str) -> str:
    if letter in '\\"':
        return f"\\{letter}"
    return letter if letter.isprintable() else "".join(f"\\{byte:03d}" for byte in letter.encode())


def tcl(text: str) -> str:
    """The text as one word of Tcl, in which nothing is substituted."""
    return '"' + "".join(_tcl_letter(letter) for letter in text) + '"'


def _tcl_letter(letter: str) -> str:
    if letter in '\\"$[]{};':
        return f"\\{letter}"
    return letter if letter.isprintable() else "".join(f"\\{byte:03o}" for byte in letter.encode())


def variable_name(application: str) -> str:
    """The variable that holds the application's reference: HPCC_ARTIFACT for hpcc."""
    letters = re.sub(r"[^A-Z0-9]", "_", application.upper())
    return f"{'_' if letters[:1].isdigit() else ''}{letters}_ARTIFACT"
