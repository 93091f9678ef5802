"""Registry servers beside Debian's docker-registry: `crane registry serve`, and one with the referrers API.

`python tests/registry_programs.py` gets both (half a minute, 80 MB fetched) and prints where they are.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from debian_packages import kept, unpack
from needs import need

from argosy.errors import ArgosyError
from argosy.files import sha256_of
from argosy.process import check

_MAIN = Path(__file__).resolve().parent / "ociserver" / "main.go"
_GO = "1.24"


def crane() -> Path:
    """go-containerregistry's client and server: $CRANE, else on PATH, else Debian's package; or `need`."""
    given = os.environ.get("CRANE") or shutil.which("crane")
    if given:
        return Path(given)
    try:
        return kept("crane", lambda scratch: unpack("sid", ["crane"], scratch) / "usr" / "bin" / "crane")
    except ArgosyError as error:
        need("crane", f"put it on PATH or name it in $CRANE ({error.what})")
        raise


def ociserver() -> Path:
    """cuelabs.dev's server (`ociserver/main.go`), compiled from Debian's sources with Debian's Go; or `need`."""
    given = os.environ.get("OCISERVER")
    if given:
        return Path(given)
    try:
        return kept(f"ociserver-{sha256_of(_MAIN)[:12]}", _compile)
    except ArgosyError as error:
        need("ociserver", f"compile {_MAIN} and name it in $OCISERVER ({error.what})")
        raise


def _compile(folder: Path) -> Path:
    sources = [
        "golang-github-cue-labs-oci-dev",
        "golang-github-opencontainers-go-digest-dev",
        "golang-github-opencontainers-image-spec-dev",
    ]
    root = unpack("trixie", [f"golang-{_GO}-go", f"golang-{_GO}-src", *sources], folder)
    go = root / "usr" / "lib" / f"go-{_GO}"
    environment = {
        **os.environ,
        "GOROOT": str(go),
        "GOPATH": str(root / "usr" / "share" / "gocode"),
        "GOCACHE": str(folder / "gocache"),
        "GO111MODULE": "off",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    check(
        [go / "bin" / "go", "build", "-o", folder / "ociserver", _MAIN],
        purpose="compiling ociserver",
        folder=folder,
        environment=environment,
    )
    return folder / "ociserver"


if __name__ == "__main__":
    print(crane(), ociserver(), sep="\n")
