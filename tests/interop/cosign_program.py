"""The real `cosign`, versions 2 and 3: $COSIGN2, $COSIGN3, else Debian's packages, fetched without root into the cache.

`python tests/interop/cosign_program.py` fetches both and prints where they are.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.files import lock
from argosy.folders import cache_root
from argosy.process import check

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SUITES = {2: "trixie", 3: "sid"}


def find_cosign(version: int) -> Path:
    """The program of that major version. Raises ArgosyError when there is none and none can be fetched."""
    given = os.environ.get(f"COSIGN{version}")
    if given:
        return Path(given)
    home = cache_root() / "tools"
    program = home / f"cosign{version}"
    with lock(home / f".{program.name}.lock"):
        if not program.exists():
            with tempfile.TemporaryDirectory(dir=home) as scratch:
                _fetch(Path(scratch), _SUITES[version]).rename(program)
    return program


def _fetch(folder: Path, suite: str) -> Path:
    """Unpack Debian's package in `folder`, by apt-get with every one of its folders there."""
    for name in ("lists/partial", "cache/archives/partial", "root"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {suite} main\n")
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
    raise ArgosyError("this system's apt names no Debian mirror", advice="name cosign in $COSIGN2 and $COSIGN3")


if __name__ == "__main__":
    for number in _SUITES:
        print(find_cosign(number))
        subprocess.run([find_cosign(number), "version"], check=True)
