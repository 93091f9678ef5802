"""Programs that a test needs and this system's Debian does not have: packages of another suite, unpacked without root.

What was made of them is kept in the cache's `tools` folder. The mirror is the one that this system's own apt uses.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.files import lock
from argosy.folders import cache_root
from argosy.process import check

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_HOME = cache_root() / "tools"  # as it is before a test has a cache of its own


def kept(name: str, make: Callable[[Path], Path]) -> Path:
    """The program `name` in the cache; when it is not there, `make` makes it in the scratch folder that it is given."""
    program = _HOME / name
    with lock(_HOME / f".{name}.lock"):
        if not program.exists():
            with tempfile.TemporaryDirectory(dir=_HOME) as scratch:
                make(Path(scratch)).rename(program)
    return program


def unpack(suite: str, packages: Sequence[str], folder: Path, *, architecture: str | None = None) -> Path:
    """Unpack the packages, without what they depend on, in `folder`; gives the root that their paths are under.

    `architecture` in Debian's words (`arm64`); this system's by default. apt-get has every one of its folders there.
    Raises ArgosyError when the packages cannot be had.
    """
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
        **({"APT::Architecture": architecture, "APT::Architectures": architecture} if architecture else {}),
    }
    apt_get = ["apt-get", "-q", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    what = " ".join(packages)
    check([*apt_get, "update"], purpose="reading Debian's list of packages")
    check([*apt_get, "download", *packages], purpose=f"fetching {what} from Debian {suite}", folder=folder)
    for package in sorted(folder.glob("*.deb")):
        check(["dpkg-deb", "-x", package, folder / "root"], purpose=f"unpacking {package.name}")
    return folder / "root"


def _mirror() -> str:
    """The Debian mirror that this system's own apt uses."""
    places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for place in places:
        text = place.read_text() if place.is_file() else ""
        for pattern in (r"^URIs:\s*(\S+/debian/?)(?:\s|$)", r"^deb\s+(?:\[[^\]]*\]\s*)?(\S+/debian/?)\s"):
            if found := re.search(pattern, text, re.MULTILINE):
                return found[1]
    raise ArgosyError(
        "this system's apt names no Debian mirror", advice="install the program yourself, and name it as the test says"
    )
