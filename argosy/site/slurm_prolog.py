"""Making a node ready for a Slurm job before it starts, within a time limit: artifacts verified and made native code.

Slurm drains the node of a prolog that fails, and holds or requeues its job: one wrong reference would take node after
node out of service. So the prolog itself succeeds. Where it fails closed, the job is cancelled, with the reason as its
AdminComment; only when even that is impossible does the prolog fail, since nothing else then keeps the job from
starting. What the site's manifest names is made ready too, and ends no job: no job asked for it.

Each artifact is one process, which can be ended when its time is over, and which can be the job's user.
"""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argosy import process
from argosy.errors import ArgosyError
from argosy.folders import cache_root, site_cache_root
from argosy.model.reference import Reference
from argosy.site import hook_script, slurm_commands, slurm_job
from argosy.site.engine import Bounds
from argosy.site.slurm_job import Job

# What the processes that prepare may know of this one's environment: the prolog's is Slurm's, not a user's.
_PASSED_ON = (
    "PATH",
    "LANG",
    "PYTHONPATH",
    "ARGOSY_POLICY",
    "ARGOSY_MPICC",
    "ARGOSY_SITE_CACHE",
    "ARGOSY_CACHE_LIMIT",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)
_LEAST = 0.1  # seconds


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the administrator wants it; `seconds` is for everything together.

    Where `as_user`, the work is done by the job's user in that user's cache; else by this one in `cache` (default: the
    site's, which users read).
    """

    closed: bool = False
    seconds: float = 120.0
    policy: Path | None = None
    manifest: Path | None = None
    as_user: bool = False
    cache: Path | None = None
    launcher: bool = False
    mpicc: str | None = None
    bounds: Bounds | None = None
    plain_http: bool = False


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """One artifact: whether the job itself names it, and why it is not ready (empty: it is)."""

    reference: str
    named_by_job: bool
    problem: str
    seconds: float
    path: str = ""
    compiled: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a prolog did. `refused` says why the job was cancelled; empty when it may start."""

    job: str
    prepared: tuple[Prepared, ...]
    refused: str = ""


def prepare_job(environment: Mapping[str, str], settings: Settings) -> Outcome:
    """Make this node ready for the job of a prolog's environment.

    Raises ArgosyError when the job must not start and could not be cancelled: the prolog is then to fail.
    """
    end = time.monotonic() + settings.seconds
    job = Job.from_environment(environment)
    prepared: list[Prepared] = []
    try:
        named = job.names()
    except ArgosyError as error:
        named = ()
        prepared.append(Prepared(reference=job.comment, named_by_job=True, problem=error.what, seconds=0))
    prepared += [_prepare(reference, job, settings, end, named_by_job=True) for reference in named]
    prepared += _prepare_manifest(job, settings, end, named)
    problems = [f"{one.reference}: {one.problem}" for one in prepared if one.named_by_job and one.problem]
    if not problems or not settings.closed:
        return Outcome(job=job.number, prepared=tuple(prepared))
    refused = f"argosy: {' '.join('; '.join(problems).split())}"
    slurm_commands.end_job(job.number, refused)
    return Outcome(job=job.number, prepared=tuple(prepared), refused=refused)


def _prepare_manifest(job: Job, settings: Settings, end: float, named: tuple[Reference, ...]) -> list[Prepared]:
    if settings.manifest is None:
        return []
    try:
        wanted = slurm_job.manifest_artifacts(settings.manifest, job.partition)
    except ArgosyError as error:
        return [Prepared(reference=str(settings.manifest), named_by_job=False, problem=error.what, seconds=0)]
    return [_prepare(one, job, settings, end, named_by_job=False) for one in wanted if one not in named]


def _prepare(reference: Reference, job: Job, settings: Settings, end: float, *, named_by_job: bool) -> Prepared:
    before = time.monotonic()
    path, compiled, problem = "", False, ""
    try:
        told = _precompile(reference, job, settings, max(end - before, _LEAST))
        path, compiled = str(told["path"]), bool(told["compiled"])
    except (ArgosyError, ValueError, KeyError) as error:
        problem = error.what if isinstance(error, ArgosyError) else f"cannot read what it printed: {error}"
    return Prepared(
        reference=str(reference),
        named_by_job=named_by_job,
        problem=problem,
        seconds=round(time.monotonic() - before, 3),
        path=path,
        compiled=compiled,
    )


def _precompile(reference: Reference, job: Job, settings: Settings, seconds: float) -> dict[str, object]:
    command = [*hook_script.argosy_command(), "precompile", "--json", "--if-needed"]
    command += ["--launcher"] if settings.launcher else []
    command += ["--mpi", settings.mpicc] if settings.mpicc else []
    command += ["--bounds", settings.bounds] if settings.bounds else []
    command += ["--policy", str(settings.policy)] if settings.policy else []
    command += ["--plain-http"] if settings.plain_http else []
    user = pwd.getpwuid(job.user) if settings.as_user else None
    done = process.run(
        [*command, str(reference)],
        folder=Path("/"),
        environment=_environment(user, settings),
        timeout_seconds=seconds,
        user=user,
    )
    if done.status != 0:
        raise ArgosyError(hook_script.failure(done).splitlines()[0])
    return hook_script.answer(done.output)


def _environment(user: pwd.struct_passwd | None, settings: Settings) -> dict[str, str]:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment.setdefault("PATH", hook_script.PATH)
    account = user or pwd.getpwuid(os.geteuid())
    environment |= {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}
    if user is None:
        cache = settings.cache or site_cache_root() or cache_root()
        environment |= {"ARGOSY_CACHE": str(cache), "ARGOSY_SITE_CACHE": "", "ARGOSY_STATE": str(cache / "state")}
    return environment
