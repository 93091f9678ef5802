"""A folder of its own with a SConstruct, recipes and a build folder, in which a test runs SCons."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

SCONSTRUCT = """\
from SCons.Script import Environment

env = Environment(tools=["argosy"])
recipes = env.ArgosyRecipes("recipes", build="build")
env.ArgosyPublishing(recipes)
env.ArgosyRunning(recipes)
env.ArgosyHelp(recipes)
"""


@dataclass
class Project:
    """The folder, and the variables that SCons sees besides the test's own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def scons(self, *words: str, status: int = 0) -> str:
        """What SCons printed, of both kinds; it must end with `status`."""
        done = subprocess.run(
            [sys.executable, "-m", "SCons", *words],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def built(self, *words: str) -> list[str]:
        """The recipes that a dry run would build."""
        lines = self.scons("-n", *words).splitlines()
        return sorted(line.split()[1] for line in lines if line.startswith("build "))

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def recipe(self, name: str, code: str, *, head: str = "mpi = false", build: str = "", tail: str = "") -> None:
        """A recipe with one C file that makes a program of its name, or what `tail` says instead."""
        self.write(f"recipes/{name}/src/{name}.c", code)
        self.write(
            f"recipes/{name}/recipe.toml",
            f'name = "{name}"\nversion = "1.0"\nlicence = "MIT"\ndescription = "About {name}"\n{head}\n'
            f'[[source]]\nfolder = "src"\n[build]\nkind = "sources"\nsources = ["*.c"]\n{build}\n'
            + (tail or f'[[program]]\nname = "{name}"\n'),
        )


def project(folder: Path) -> Project:
    """Recipes: `twice` is a library, `app` requires it, `ranks` uses MPI, `alone` has to do with none of them."""
    made = Project(folder)
    made.write("SConstruct", SCONSTRUCT)
    made.recipe("twice", "int twice(int x) { return 2 * x; }\n", tail='[[library]]\nname = "twice"\n')
    made.recipe(
        "app",
        '#include <stdio.h>\nint twice(int);\nint main(void) { printf("%d\\n", twice(ONE)); return 0; }\n',
        head='mpi = false\nrequires = ["twice"]',
        build='link = ["-ltwice"]\ndefines = ["ONE=1"]\n',
        tail='[[program]]\nname = "app"\n[[test]]\nname = "two"\nexpect = [{ matches = "^([0-9]+)$", value = 2 }]\n',
    )
    made.recipe(
        "ranks", "#include <mpi.h>\nint main(void) { MPI_Init(0, 0); return MPI_Finalize(); }\n", head="mpi = true"
    )
    made.recipe("alone", "int main(void) { return 0; }\n")
    return made
