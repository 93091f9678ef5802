"""skopeo moves our artifacts about without changing a digest."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from artifacts import harbour
from needs import program
from registry_server import PASSWORD, USER, RegistryServer

from argosy.model.reference import Reference
from argosy.oci.open import open_registry
from argosy.oci.pull import pull_verified
from argosy.sign.cosign import signature_tag
from argosy.sign.trust import load_trust

INSECURE = ("--src-tls-verify=false", "--dest-tls-verify=false")


def copy(source: str, target: str, *options: str) -> None:
    skopeo = program("skopeo", "apt-get install skopeo")
    subprocess.run([skopeo, "copy", "-q", "--all", *INSECURE, *options, source, target], check=True)


def test_copies_to_another_registry_and_to_a_folder_keep_digest_and_signature(
    open_server: RegistryServer, locked_server: RegistryServer, tmp_path: Path
) -> None:
    port = harbour(tmp_path, f"{open_server.host}/hpc/argo:1.0")
    signatures = signature_tag(port.digest)
    for tag in ("1.0", signatures):
        copy(
            f"docker://{open_server.host}/hpc/argo:{tag}",
            f"docker://{locked_server.host}/mirror/argo:{tag}",
            f"--dest-creds={USER}:{PASSWORD}",
        )
        copy(
            f"docker://{locked_server.host}/mirror/argo:{tag}",
            f"oci:{tmp_path}/dist:{tag}",
            f"--src-creds={USER}:{PASSWORD}",
        )
    copied = Reference.parse(f"oci:{tmp_path}/dist:1.0")
    layout = open_registry(copied)
    assert layout.manifest("1.0").data == port.packed.manifest
    assert layout.resolve(signatures).digest == port.registry.resolve(signatures).digest
    module = pull_verified(layout, copied, port.trust, cache=tmp_path / "cache")
    assert module.manifest_digest == port.digest
    assert module.identity == f"{open_server.host}/hpc/argo"


def test_a_mirror_that_skopeo_filled_is_verified_by_the_rule_for_mirrors(
    open_server: RegistryServer, tmp_path: Path
) -> None:
    port = harbour(tmp_path, f"{open_server.host}/origin/argo:1.0")
    for tag in ("1.0", signature_tag(port.digest)):
        copy(f"docker://{open_server.host}/origin/argo:{tag}", f"docker://{open_server.host}/mirror/argo:{tag}")
    policy = tmp_path / "trust" / "policy.toml"
    policy.write_text(
        f'version = 1\n[keys.mate]\nfile = "mate.pub"\n[[repositories]]\nmatch = "{open_server.host}/mirror/*"\n'
        f'keys = ["mate"]\nsigned_as = ["{open_server.host}/origin/*"]\n'
    )
    reference = Reference.parse(f"{open_server.host}/mirror/argo:1.0")
    module = pull_verified(open_registry(reference), reference, load_trust(policy), cache=tmp_path / "cache")
    assert module.manifest_digest == port.digest


def test_skopeo_reads_our_folder(open_server: RegistryServer, tmp_path: Path) -> None:
    port = harbour(tmp_path, f"oci:{tmp_path}/dist:1.0")
    skopeo = program("skopeo", "apt-get install skopeo")
    raw = subprocess.run([skopeo, "inspect", "--raw", str(port.reference)], check=True, capture_output=True).stdout
    assert json.loads(raw) == json.loads(port.packed.manifest)
    copy(str(port.reference), f"docker://{open_server.host}/from-folder:1.0")
    assert open_registry(Reference.parse(f"{open_server.host}/from-folder")).resolve("1.0").digest == port.digest
