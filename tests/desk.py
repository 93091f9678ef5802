"""A user of the command line, with settings, a cache and a folder of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from argosy.model.note import RECIPE_SECTION, RecipeNote
from argosy.model.wasm import append_custom_section
from argosy.sign.keys import generate, load_public
from argosy.sign.trust import write_policy


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where the user sits, `home`, and all of the environment there."""

    home: Path
    environment: Mapping[str, str]

    def argosy(self, *words: str | Path, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """The command, called at home; `more` is set for this one alone."""
        return subprocess.run(
            [sys.executable, "-m", "argosy.cli", *map(str, words)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            cwd=self.home,
            env={**self.environment, **more},
        )

    def done(self, *words: str | Path, **more: str) -> str:
        """The output of a command that must succeed."""
        finished = self.argosy(*words, **more)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    def put(self, name: str, wasm: bytes) -> Path:
        """A module with the note of a recipe of that name."""
        note = RecipeNote(name=name, version="1.0", numerics="fast").encoded()
        path = self.home / f"{name}.wasm"
        path.write_bytes(append_custom_section(wasm, RECIPE_SECTION, note))
        return path

    def push(self, name: str, wasm: bytes, *, key: str = "argosy") -> str:
        """The reference of the module, signed by this key of the user's, in the layout folder at home."""
        (self.home / f"{name}.wasm").write_bytes(wasm)
        reference = f"oci:{self.home}/layout:{name}"
        self.done("push", "--key", self.home / f"settings/argosy/{key}.key", f"{name}.wasm", reference)
        return reference


def settle(home: Path, *, keys: Sequence[str] = ("argosy",), repositories: Sequence[str] = ("**",)) -> dict[str, str]:
    """Make a user's `keys` and a policy that trusts the first for these repositories; gives what to set."""
    settings = home / "settings/argosy"
    for name in keys:
        generate(settings / f"{name}.key")
    public = load_public(settings / f"{keys[0]}.pub")
    write_policy(settings / "policy.toml", keys={keys[0]: public}, repositories=repositories)
    folders = {"XDG_CONFIG_HOME": "settings", "ARGOSY_CACHE": "cache", "ARGOSY_STATE": "state"}
    return {name: str(home / folder) for name, folder in folders.items()}
