"""What refers to an artifact is found, and many who add to it at the same time lose nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from artifacts import Harbour, harbour, key
from lying_server import Answer, Asked, lying_server
from registry_server import RegistryServer
from test_copy import place, refer

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import MANIFEST, Descriptor
from argosy.oci.fallback import referrers_tag
from argosy.oci.merge import merge
from argosy.oci.registry import StoredManifest
from argosy.oci.signatures import add_signature, read_signatures

AT_ONCE = 6


@pytest.fixture(params=["registry", "folder"])
def port(request: pytest.FixtureRequest, open_server: RegistryServer, tmp_path: Path) -> Harbour:
    name = f"{open_server.host}/{tmp_path.name.lower().replace('_', '-')}"
    return harbour(tmp_path, f"{name}:1.0" if request.param == "registry" else f"oci:{tmp_path}/layout:1.0")


def test_six_who_refer_at_the_same_time_all_survive(port: Harbour) -> None:
    subject = port.registry.resolve(port.digest)

    def one(number: int) -> Digest:
        return refer(place(port.reference.name), subject, text=f"bill {number}".encode())

    with ThreadPoolExecutor(AT_ONCE) as pool:
        expected = set(pool.map(one, range(AT_ONCE)))
    assert {entry.digest for entry in port.registry.referrers(port.digest)} == expected
    assert len(expected) == AT_ONCE


def test_six_who_sign_at_the_same_time_all_survive(port: Harbour, tmp_path: Path) -> None:
    keys = [key(tmp_path, f"mate{number}") for number in range(AT_ONCE)]

    def one(number: int) -> bool:
        return add_signature(place(port.reference.name), identity="argo", digest=port.digest, key=keys[number])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert all(pool.map(one, range(AT_ONCE)))
    assert len(read_signatures(port.registry, port.digest)) == 1 + AT_ONCE


def test_a_registry_that_knows_referrers_gets_no_index(open_server: RegistryServer) -> None:
    subject = Descriptor(media_type=MANIFEST, digest=Digest.of(b"argo"), size=4)

    def answer(asked: Asked) -> Answer:
        if asked.method == "HEAD":
            return Answer(status=200)
        return Answer(status=201, headers={"OCI-Subject": str(subject.digest)})

    with lying_server(answer) as server:
        refer(place(f"{server.host}/argo"), subject)
        assert not server.saw(referrers_tag(subject.digest))


def test_one_who_is_always_undone_gives_up() -> None:
    class Forgetful:
        name = "forgetful"

        def alone(self) -> object:
            import contextlib

            return contextlib.nullcontext(True)

        def manifest(self, selector: object) -> StoredManifest:
            return StoredManifest(descriptor=Descriptor(media_type=MANIFEST, digest=Digest.of(b""), size=0), data=b"")

        def put_manifest(self, data: bytes, media_type: str, tag: str | None) -> None:
            pass

    with pytest.raises(ArgosyError, match="replaced by others each time"):
        merge(Forgetful(), "tag", lambda stored: (b"new", MANIFEST))  # type: ignore[arg-type]
