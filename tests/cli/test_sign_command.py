"""`argosy sign`: what a threshold, a policy of fresh signatures, and a step back need; and what verify says of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from artifacts import artifact, key

from argosy.cli import main
from argosy.model.manifest import MANIFEST
from argosy.model.reference import Reference
from argosy.oci.layout import Layout
from argosy.oci.open import open_registry
from argosy.oci.push import push
from argosy.oci.signatures import read_signatures

POLICY = """
version = 1
[keys.mate]
file = "mate.pub"
[keys.captain]
file = "captain.pub"
[[repositories]]
match = "layout/*"
keys = ["mate", "captain"]
"""


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """A folder with an unsigned artifact, `oci:layout:argo`, and two keys that a policy knows."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def argosy(self, *words: str, status: int = 0) -> str:
        assert main(words) == status, self.capsys.readouterr()
        said = self.capsys.readouterr()
        return said.out or said.err

    def rule(self, text: str) -> None:
        (self.folder / "policy.toml").write_text(f"{POLICY}{text}\n")

    def refused(self) -> list[str]:
        """The checks for which verification refuses; none when it accepts."""
        accepted = main(["verify", "--json", "oci:layout:argo"]) == 0
        told = json.loads(self.capsys.readouterr().out)
        assert told["accepted"] is accepted
        checks: list[str] = told["refused"]
        return checks

    def layout(self) -> Layout:
        place = open_registry(Reference.parse("oci:layout"))
        assert isinstance(place, Layout)
        return place


@pytest.fixture
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bridge:
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    for name in ("mate", "captain"):
        key(tmp_path, name)
    monkeypatch.setenv("ARGOSY_POLICY", str(tmp_path / "policy.toml"))
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    made = Bridge(folder=tmp_path, capsys=capsys)
    made.rule("")
    push(artifact(tmp_path / "made"), made.layout(), tag="argo")
    return made


def test_a_second_signer_makes_a_threshold(bridge: Bridge) -> None:
    bridge.rule("threshold = 2")
    assert bridge.refused() == ["unsigned"]
    bridge.argosy("sign", "--key", "mate.key", "oci:layout:argo")
    assert bridge.refused() == ["threshold"]
    told = bridge.argosy("verify", "oci:layout:argo", status=1)
    assert "NO  threshold  not enough signatures: 1, needed 2 of the keys mate, captain" in told
    assert "as before" in bridge.argosy("sign", "--key", "mate.key", "oci:layout:argo")
    assert bridge.refused() == ["threshold"]
    bridge.argosy("sign", "--key", "captain.key", "oci:layout:argo")
    assert bridge.refused() == []
    assert "signed by   mate, captain" in bridge.argosy("verify", "oci:layout:argo")


def test_a_signature_is_renewed_and_takes_the_place_of_the_old_one(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge.rule("signed_within_days = 30")
    with monkeypatch.context() as then:
        then.setattr("time.time", lambda: 1_700_000_000.0)  # in November 2023
        bridge.argosy("sign", "--key", "mate.key", "oci:layout:argo")
    assert bridge.refused() == ["signature-expired", "threshold"]
    bridge.argosy("sign", "--key", "mate.key", "oci:layout:argo")
    assert bridge.refused() == ["signature-expired", "threshold"]
    digest = bridge.layout().resolve("argo").digest
    before = len(read_signatures(bridge.layout(), digest))
    bridge.argosy("sign", "--renew", "--key", "mate.key", "oci:layout:argo")
    assert bridge.refused() == []
    assert len(read_signatures(bridge.layout(), digest)) == before


def test_a_publisher_goes_back_by_signing_the_former_artifact_anew(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = bridge.layout().resolve("argo").digest
    for number, cargo in enumerate((b"cargo", b"flawed")):
        push(artifact(bridge.folder / "made", cargo=cargo), bridge.layout(), tag="argo")
        with monkeypatch.context() as then:
            then.setattr("time.time", lambda number=number: 1_700_000_000.0 + number)
            bridge.argosy("sign", "--key", "mate.key", "oci:layout:argo")
        bridge.argosy("pull", "oci:layout:argo")
    bridge.layout().put_manifest(bridge.layout().manifest(former).data, MANIFEST, "argo")
    assert bridge.refused() == ["rollback"]
    bridge.argosy("sign", "--renew", "--key", "mate.key", "oci:layout:argo")
    assert bridge.refused() == []
    bridge.argosy("pull", "oci:layout:argo")


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("version = 1", "version = 1\nexpires = 2020-01-01T00:00:00Z", "policy-expired"),
        ('file = "mate.pub"', 'file = "mate.pub"\nexpires = 2020-01-01T00:00:00Z', "key-expired"),
        ('file = "mate.pub"', 'file = "mate.pub"\nrevoked = "lost"', "key-revoked"),
        ('keys = ["mate", "captain"]', 'keys = ["captain"]', "authority"),
        ('match = "layout/*"', 'match = "layout/other"', "rule"),
        ("[[repositories]]", '[[revoked]]\ndigest = "{digest}"\nreason = "flawed"\n[[repositories]]', "revoked"),
        ('keys = ["mate", "captain"]', f'keys = ["mate"]\npinned = ["sha256:{"0" * 64}"]', "pinned"),
        (
            'keys = ["mate", "captain"]',
            'keys = ["mate"]\n[[repositories.attestations]]\npredicate_type = "https://slsa.dev/provenance/v1"',
            "attestation-missing",
        ),
    ],
)
def test_verify_names_the_check_for_which_it_refuses(bridge: Bridge, old: str, new: str, check: str) -> None:
    bridge.argosy("sign", "--key", "mate.key", "oci:layout:argo")
    assert bridge.refused() == []
    digest = bridge.layout().resolve("argo").digest
    (bridge.folder / "policy.toml").write_text(POLICY.replace(old, new.replace("{digest}", str(digest))))
    assert check in bridge.refused()
    told = bridge.argosy("verify", "oci:layout:argo", status=1)
    assert f"  NO  {check} " in told and told.rstrip().endswith(f"refused   {digest}")
    assert "is not trusted" in bridge.argosy("run", "oci:layout:argo", status=1)
    assert not (bridge.folder / "cache").exists()


def test_the_policys_state_is_shown(bridge: Bridge) -> None:
    text = POLICY.replace('file = "captain.pub"', 'file = "captain.pub"\nrevoked = "overboard"')
    (bridge.folder / "policy.toml").write_text(f"{text}signed_within_days = 30\n")
    shown = bridge.argosy("keys", "show")
    assert "is revoked: overboard" in shown and "signed within 30 days" in shown
    told = json.loads(bridge.argosy("keys", "show", "--json"))
    assert told["refused_keys"] == {"captain": "is revoked: overboard"} and told["expired"] is None
