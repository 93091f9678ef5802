"""The real `cosign`: $COSIGN, else on PATH, else Debian's package, fetched without root into the cache.

Debian stable has no cosign; sid has. `python tests/interop/cosign_program.py` fetches it and prints where it is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.files import lock
from argosy.folders import cache_root
from argosy.process import check

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SUITE = "sid"


def find_cosign() -> Path:
    """The program. Raises ArgosyError when there is none and none can be fetched."""
    given = os.environ.get("COSIGN") or shutil.which("cosign")
    if given:
        return Path(given)
    home = cache_root() / "tools"
    program = home / "cosign"
    with lock(home / ".cosign.lock"):
        if not program.exists():
            with tempfile.TemporaryDirectory(dir=home) as scratch:
                _fetch(Path(scratch)).rename(program)
    return program


def _fetch(folder: Path) -> Path:
    """Unpack Debian's package in `folder`, by apt-get with every one of its folders there."""
    for name in ("lists/partial", "cache/archives/partial", "root"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {_SUITE} main\n")
    options = {
        "Dir::Etc::sourcelist": folder / "sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
    }
    apt_get = ["apt-get", "-q", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    check([*apt_get, "update"], purpose="reading Debian's list of packages")
    check([*apt_get, "download", "cosign"], purpose="fetching Debian's cosign", folder=folder)
    package = next(folder.glob("cosign_*.deb"))
    check(["dpkg-deb", "-x", package, folder / "root"], purpose="unpacking Debian's cosign")
    return folder / "root" / "usr" / "bin" / "cosign"


def _mirror() -> str:
    """The Debian mirror that this system's own apt uses."""
    places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for place in places:
        text = place.read_text() if place.is_file() else ""
        for pattern in (r"^URIs:\s*(\S+/debian/?)(?:\s|$)", r"^deb\s+(?:\[[^\]]*\]\s*)?(\S+/debian/?)\s"):
            if found := re.search(pattern, text, re.MULTILINE):
                return found[1]
    raise ArgosyError("this system's apt names no Debian mirror", advice="put cosign on PATH or name it in $COSIGN")


if __name__ == "__main__":
    print(find_cosign())
    subprocess.run([find_cosign(), "version"], check=True)
