"""The bytes that were verified are the bytes that are used, whatever the registry says a moment later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from artifacts import Harbour, artifact, harbour
from lying_server import Answer, Asked, LyingServer, lying_server

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, MANIFEST, declared_media_type
from argosy.model.reference import Reference
from argosy.oci.attestations import add_attestation
from argosy.oci.layout import Layout
from argosy.oci.open import open_registry
from argosy.oci.pull import UntrustedError, VerifiedModule, pull_verified
from argosy.oci.push import push
from argosy.oci.registry import NotFoundError
from argosy.sign.attestation import PROVENANCE, Statement, Subject
from argosy.sign.trust import load_trust


class Fickle:
    """A registry that serves a layout, and from its second answer of a kind on something else.

    `second` is what the tag names from its second answer on; blobs of `spoilt` are others when asked for again.
    """

    def __init__(self, layout: Layout, *, second: Digest | None = None) -> None:
        self.layout, self.second = layout, second
        self.spoilt: set[Digest] = set()
        self.asked: Counter[str] = Counter()

    def __call__(self, asked: Asked) -> Answer:
        self.asked[asked.path] += 1
        again = self.asked[asked.path] > 1
        kind, _, name = asked.path.removeprefix("/v2/argo/").partition("/")
        try:
            if kind == "manifests":
                selector = Digest.parse(name) if name.startswith("sha256:") else name
                if again and name == "stable" and self.second is not None:
                    selector = self.second
                data = self.layout.manifest(selector).data
                return Answer(headers={"Content-Type": declared_media_type(data, name)}, body=data)
            if kind == "blobs":
                data = (self.layout.path / "blobs" / "sha256" / name.removeprefix("sha256:")).read_bytes()
                return Answer(body=data[:-1] + b"!" if again and Digest.parse(name) in self.spoilt else data)
        except (NotFoundError, FileNotFoundError):
            pass
        return Answer(status=404, body=b"{}")


@pytest.fixture
def serve() -> Iterator[object]:
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(lying_server(answer))


@pytest.fixture
def port(tmp_path: Path) -> Harbour:
    return harbour(tmp_path, f"oci:{tmp_path}/dist:stable", rules=("**",))


def evil(port: Harbour, tmp_path: Path) -> Digest:
    return push(artifact(tmp_path / "evil", cargo=b"evil!"), port.registry, tag=None)


def pull(server: LyingServer, port: Harbour, tmp_path: Path) -> VerifiedModule:
    """As somebody who trusts what is signed for the layout under this server's name."""
    policy = Path(port.trust.policy.source)
    if "signed_as" not in policy.read_text():
        policy.write_text(policy.read_text().replace("keys = [", 'signed_as = ["layout/*"]\nkeys = ['))
    reference = Reference.parse(f"{server.host}/argo:stable")
    place = open_registry(reference, patience=1)
    return pull_verified(place, reference, load_trust(policy), cache=tmp_path / "cache")


def test_a_tag_that_names_something_else_after_the_check_changes_nothing(
    port: Harbour, tmp_path: Path, serve: object
) -> None:
    answer = Fickle(Layout(tmp_path / "dist"), second=evil(port, tmp_path))
    server = serve(answer)  # type: ignore[operator]
    module = pull(server, port, tmp_path)
    assert module.manifest_digest == port.digest
    assert module.path.read_bytes() == module.read() == port.packed.wasm.read_bytes()
    assert answer.asked["/v2/argo/manifests/stable"] == 1  # there is no second answer to be had
    with pytest.raises(UntrustedError, match="has no signature"):
        pull(server, port, tmp_path)  # and now there is


def test_no_blob_is_asked_for_twice_by_one_pull(port: Harbour, tmp_path: Path, serve: object) -> None:
    answer = Fickle(Layout(tmp_path / "dist"))
    answer.spoilt = {Digest(algorithm="sha256", hex=one.name) for one in (tmp_path / "dist/blobs/sha256").iterdir()}
    module = pull(serve(answer), port, tmp_path)  # type: ignore[operator]
    assert module.read() == port.packed.wasm.read_bytes()
    assert {count for path, count in answer.asked.items() if "/blobs/" in path} == {1}


def test_a_manifest_of_another_digest_than_the_one_asked_for_is_refused(
    port: Harbour, tmp_path: Path, serve: object
) -> None:
    other = evil(port, tmp_path)

    def swap(asked: Asked) -> Answer:
        if str(port.digest) in asked.path and "/manifests/" in asked.path:
            return Answer(headers={"Content-Type": MANIFEST}, body=port.registry.manifest(other).data)
        return Answer(status=404, body=b"{}")

    server = serve(swap)  # type: ignore[operator]
    reference = Reference.parse(f"{server.host}/argo@{port.digest}")
    with pytest.raises(ArgosyError, match=f"gave a manifest with digest {other} for {port.digest}"):
        pull_verified(open_registry(reference, patience=1), reference, port.trust, cache=tmp_path / "cache")


def test_a_signed_manifest_served_as_an_index_is_neither(port: Harbour, tmp_path: Path, serve: object) -> None:
    # CVE-2021-41190: one digest, two readings.
    inner = Fickle(Layout(tmp_path / "dist"))

    def confused(asked: Asked) -> Answer:
        told = inner(asked)
        if asked.path.endswith("/manifests/stable"):
            told.headers["Content-Type"] = INDEX
        return told

    with pytest.raises(ArgosyError, match="calls itself"):
        pull(serve(confused), port, tmp_path)  # type: ignore[operator]


def test_a_module_changed_after_the_check_is_not_given_out(port: Harbour, tmp_path: Path) -> None:
    module = pull_verified(port.registry, port.reference, port.trust, cache=tmp_path / "cache")
    module.path.write_bytes(b"\0asm\1\0\0\0 evil")
    with pytest.raises(ArgosyError, match="was changed after it had been verified"):
        module.read()


def test_a_module_without_the_required_provenance_is_not_fetched(port: Harbour, tmp_path: Path, serve: object) -> None:
    policy = Path(port.trust.policy.source)
    builder = "https://ci.example.org/argosy"
    required = f'[[repositories.attestations]]\npredicate_type = "{PROVENANCE}"\nbuilders = ["{builder}"]\n'
    policy.write_text(f"{policy.read_text()}{required}")
    answer = Fickle(Layout(tmp_path / "dist"))
    server = serve(answer)  # type: ignore[operator]
    with pytest.raises(UntrustedError, match=f"no attestation of type {PROVENANCE} is there"):
        pull(server, port, tmp_path)
    assert f"/v2/argo/blobs/{port.packed.layer.digest}" not in answer.asked
    predicate = {"buildDefinition": {}, "runDetails": {"builder": {"id": builder}}}
    statement = Statement(subjects=(Subject(digest=port.digest),), predicate_type=PROVENANCE, predicate=predicate)
    assert add_attestation(port.registry, digest=port.digest, statement=statement, key=port.key)
    assert pull(server, port, tmp_path).read() == port.packed.wasm.read_bytes()
