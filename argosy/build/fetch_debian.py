"""Getting a Debian source package's file as an ordinary user: by apt-get, with folders of its own.

The archive is the one that this system's apt uses for packages; a system is seldom set up for source packages, so the
same entries are written once more, with type deb-src. Keys, proxies and credentials stay the system's.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from argosy import process
from argosy.build.fetch_packages import short_reason
from argosy.errors import ArgosyError
from argosy.files import lock
from argosy.folders import cache_root
from argosy.model.recipe_source import Debian
from argosy.progress import progress

_FRESH_SECONDS = 86400
_SUITES = "oldoldstable|oldstable|stable|testing|unstable|sid|experimental"


def fetch_debian(location: Debian, folder: Path, *, system: Path = Path("/etc")) -> Path:
    """The file of the source package, put into `folder`. Raises ArgosyError with a short reason.

    `system` is the folder that holds `apt/` and `os-release`.
    """
    if shutil.which("apt-get") is None:
        raise ArgosyError("there is no apt-get here")
    apt = cache_root() / "apt"
    with lock(apt / ".lock"), progress(f"download {location}", None):
        options = _prepare(apt, system)
        stamp = apt / "updated"
        fresh = stamp.exists() and time.time() - stamp.stat().st_mtime < _FRESH_SECONDS
        if not fresh:
            _update(options, stamp)
        # Only the upstream file is wanted, and --tar-only spares the rest.
        command = ["apt-get", *options, "source", "--download-only", "--tar-only", location.package]
        done = process.run(command, folder=folder)
        if done.status != 0 and fresh:
            _update(options, stamp)
            done = process.run(command, folder=folder)
    found = folder / location.file
    if found.is_file():
        return found
    if done.status != 0:
        raise ArgosyError(short_reason(done.output))
    there = sorted(path.name for path in folder.iterdir())
    raise ArgosyError(f"this system's release has {', '.join(there) or 'no file'} and not {location.file}")


def _update(options: list[str], stamp: Path) -> None:
    done = process.run(["apt-get", *options, "update"])
    if done.status != 0:
        raise ArgosyError(short_reason(done.output))
    stamp.touch()


def _prepare(apt: Path, system: Path) -> list[str]:
    """apt-get's options for folders of its own below `apt`."""
    sources = apt / "sources.list.d"
    for path in (sources, apt / "lists/partial", apt / "cache/archives/partial"):
        path.mkdir(parents=True, exist_ok=True)
    entries = "\n".join(source_entries(system))
    lines = "\n".join(source_lines(system))
    if not entries and not lines:
        raise ArgosyError("this system's apt is not set up with a Debian archive")
    if f"{entries}\0{lines}" != _text(sources / "argosy.sources") + "\0" + _text(apt / "sources.list"):
        (apt / "updated").unlink(missing_ok=True)
    (sources / "argosy.sources").write_text(entries)
    (apt / "sources.list").write_text(lines)
    (apt / "status").write_text("")
    # What the system does after an update (indexes for its software shop and such) is not ours to do.
    (apt / "apt.conf").write_text(
        "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n"
    )
    settings = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": sources,
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "Acquire::http::Timeout": 10,
        "Acquire::https::Timeout": 10,
        "Acquire::Retries": 1,
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
    }
    options = ["-q", "-c", str(apt / "apt.conf")]
    for name, value in settings.items():
        options += ["-o", f"{name}={value}"]
    return options


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def source_entries(system: Path) -> Iterator[str]:
    """The system's deb822 entries (sources.list(5), "DEB822-STYLE FORMAT") for its own release, with type deb-src."""
    for path in sorted((system / "apt/sources.list.d").glob("*.sources")):
        for entry in re.split(r"\n(?:[ \t]*\n)+", path.read_text(errors="replace")):
            fields = _fields(entry)
            if fields.get("enabled", "yes").lower() in ("no", "false") or not fields.get("types"):
                continue
            suites = [suite for suite in fields.get("suites", "").split() if _of_release(suite, system)]
            if suites and "main" in fields.get("components", "").split():
                kept = [f"Types: deb-src\nSuites: {' '.join(suites)}"]
                kept += [
                    f"{name}: {fields[name]}"
                    for name in ("uris", "components", "signed-by", "trusted")
                    if name in fields
                ]
                yield "\n".join(kept) + "\n"


def _fields(entry: str) -> dict[str, str]:
    """A deb822 entry's fields by lower-case name; continuation lines are kept as they are."""
    fields: dict[str, str] = {}
    name = ""
    for line in entry.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in (" ", "\t") and name:
            fields[name] += f"\n{line}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def source_lines(system: Path) -> Iterator[str]:
    """The system's one-line entries (sources.list(5), "ONE-LINE-STYLE FORMAT") for its own release, as deb-src."""
    seen = set()
    for path in [system / "apt/sources.list", *sorted((system / "apt/sources.list.d").glob("*.list"))]:
        for line in _text(path).splitlines():
            found = re.fullmatch(r"\s*deb(?:-src)?\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]*?)\s*(#.*)?", line)
            if found and _of_release(found[3], system) and "main" in found[4].split():
                options = re.sub(r"\barch=\S+?(?=[\s\]])", "", found[1] or "")
                options = "" if not re.sub(r"[\[\]\s]", "", options) else options
                entry = f"deb-src {options}{found[2]} {found[3]} {found[4]}\n"
                if entry not in seen:
                    seen.add(entry)
                    yield entry


def _of_release(suite: str, system: Path) -> bool:
    """Whether the suite is of this system's release, and not of someone's own archive."""
    release = re.search(r"^VERSION_CODENAME=\"?([a-z]+)", _text(system / "os-release"), re.MULTILINE)
    names = f"{release[1]}|{_SUITES}" if release else _SUITES
    return bool(re.match(rf"({names})(-[a-z-]+)?(/[a-z]+)?$", suite))
