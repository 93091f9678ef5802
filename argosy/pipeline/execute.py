"""From a signed artifact to a finished run: pulled by policy, compiled for this CPU, started in its own folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from argosy import process
from argosy.errors import ArgosyError
from argosy.model.recipe import Recipe
from argosy.model.recipe_run import Capabilities, Run
from argosy.model.reference import Reference
from argosy.oci.open import open_registry
from argosy.oci.pull import VerifiedModule, pull_verified
from argosy.sign.keys import PrivateKey
from argosy.sign.trust import Trust, load_trust, write_policy
from argosy.site import cpu, variants
from argosy.site.aot_cache import Entry
from argosy.site.precompile import for_this_cpu
from argosy.site.run import GrantedFolder, Grants, prepare

DEVELOPER_REPOSITORIES = ("layout/**",)


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A module that the policy accepts, with its native code for this CPU."""

    module: VerifiedModule
    entry: Entry


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A run that ended: its exit status, what it printed, and the folder with the files that it wrote."""

    status: int
    output: str
    folder: Path


def developer_trust(folder: Path, key: PrivateKey, *, repositories: Sequence[str] = DEVELOPER_REPOSITORIES) -> Trust:
    """A policy in `folder` that trusts only `key`, for artifacts in layout folders: what own runs need."""
    policy = folder / "policy.toml"
    write_policy(policy, keys={"developer": key.public}, repositories=repositories)
    return load_trust(policy)


def make_ready(reference: Reference, trust: Trust) -> Ready:
    """Pull what the policy accepts and compile it, where it is not in the caches already."""
    module = pull_verified(open_registry(reference), reference, trust, usable=lambda: variants.usable([cpu.host()]))
    return Ready(module=module, entry=for_this_cpu(module.path, module.digest, module.numerics))


def execute(
    entry: Entry,
    recipe: Recipe,
    run: Run,
    folder: Path,
    *,
    ranks: int | None = None,
    arguments: Sequence[str] | None = None,
) -> Ran:
    """Run in `folder`, made anew with the run's input files; the program is granted what the recipe says it needs.

    `ranks` and `arguments` replace the run's own. Output goes to `stdout.txt` there too. Raises ArgosyError when the
    run cannot be started or takes longer than it may.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for file in run.inputs:
        (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(recipe.folder / file.file, folder / file.name)
    start = prepare(
        entry,
        name=run.program,
        arguments=run.arguments if arguments is None else arguments,
        ranks=(ranks or run.ranks) if entry.uses_mpi else None,
        grants=_grants(recipe.capabilities, folder),
    )
    done = process.run(start.command, folder=folder, environment=start.environment, timeout_seconds=run.timeout_seconds)
    (folder / "stdout.txt").write_text(done.output)
    return Ran(status=done.status, output=done.output, folder=folder)


def _grants(needed: Capabilities, folder: Path) -> Grants:
    """The needed folders below the run's folder, and the needed variables that are set here."""
    granted = []
    for each in needed.folders:
        host = (folder / each.path.lstrip("/")).resolve()
        if not host.is_relative_to(folder.resolve()):
            raise ArgosyError(f"a run in {folder} cannot be granted {each.path}, which lies outside of it")
        host.mkdir(parents=True, exist_ok=True)
        granted.append(GrantedFolder(host=host, guest=each.path, writable=each.writable))
    environment = {name: os.environ[name] for name in needed.environment if name in os.environ}
    return Grants(folders=tuple(granted), environment=environment)
