"""This very Argosy called by scripts, units and other nodes, by daemons without search path and settings of a user."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from argosy.process import Finished

# Where Argosy is imported from when it is not installed, and what chooses the parts of a site.
_KEPT = ("PYTHONPATH", "ARGOSY_POLICY", "ARGOSY_SITE_CACHE", "ARGOSY_MPICC")
# What daemons have not.
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


def argosy_command() -> list[str]:
    """The words that run this Argosy from any folder. -P: no module of the folder that it is called in."""
    return [sys.executable, "-P", "-m", "argosy.cli"]


def answer(output: str) -> dict[str, Any]:
    """The JSON object that a command with --json printed, among other lines. Raises ValueError where there is none."""
    begin = re.search(r"^\{", output, re.MULTILINE)
    if begin is None:
        raise ValueError(f"no JSON in {output[:300]!r}")
    told: dict[str, Any] = json.JSONDecoder().raw_decode(output, begin.start())[0]
    return told


def failure(done: Finished) -> str:
    """Why a command that failed did so, as far as it says."""
    return done.output.strip().removeprefix("argosy: error: ") or f"it ended with {done.status}"


def settings() -> dict[str, str]:
    """Variables that are set here and that a script must set, to find the same parts."""
    return {name: os.environ[name] for name in _KEPT if os.environ.get(name)}


def prolog_script(words: Sequence[str], *, closed: bool, looks_at_comment: bool) -> str:
    """The sh script for slurm.conf's `Prolog=`; `words` follow `argosy`.

    With `looks_at_comment`, for a Slurm that tells it, a job that names nothing is let through before Python starts.
    Where it fails open, nothing that goes wrong with Argosy itself drains a node.
    """
    lines = [
        "#!/bin/sh",
        "# Written by `argosy slurm prolog --write`. In slurm.conf:",
        "#   Prolog=<this file>",
        "#   PrologFlags=Alloc,DeferBatch",
        f"PATH={PATH}; export PATH",
        *(f"{name}={shlex.quote(value)}; export {name}" for name, value in settings().items()),
    ]
    if looks_at_comment:
        lines.append(
            'case "${SPANK_ARGOSY_ARTIFACTS:+argosy=}${SLURM_JOB_COMMENT-}" in *argosy=*) ;; *) exit 0 ;; esac'
        )
    command = shlex.join([*argosy_command(), *words])
    lines += [f"exec {command}"] if closed else [command, "exit 0"]
    return "\n".join([*lines, ""])
