"""A policy that somebody else could have written is no policy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from artifacts import key

from argosy.errors import ArgosyError, UsageError
from argosy.sign.trust import Trust, load_trust, write_policy


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "trust" / "policy.toml"
    write_policy(path, keys={"mate": key(tmp_path, "mate").public}, repositories=["layout/*"])
    return path


def test_a_policy_is_written_and_read_back(policy: Path) -> None:
    trust = load_trust(policy)
    assert isinstance(trust, Trust)
    assert list(trust.keys) == ["mate"]
    assert trust.policy.rule_for("layout/argo") is not None
    assert trust.policy.rule_for("registry.example.org/argo") is None


def test_the_users_policy_is_found_where_the_variable_says(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_POLICY", str(policy))
    assert load_trust().policy.source == str(policy)


def test_the_users_policy_comes_before_the_sites(policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    policy.parent.rename(tmp_path / "argosy")
    assert load_trust().policy.source == str(tmp_path / "argosy" / "policy.toml")


def test_without_a_policy_nothing_is_trusted(tmp_path: Path) -> None:
    with pytest.raises(ArgosyError, match=r"there is no trust policy at .*absent"):
        load_trust(tmp_path / "absent.toml")


@pytest.mark.parametrize("which", ["policy.toml", "mate.pub", "."])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_a_file_or_folder_that_others_can_write_is_refused(policy: Path, which: str, mode: int) -> None:
    path = policy.parent / which
    path.chmod(path.stat().st_mode | mode)
    with pytest.raises(ArgosyError, match="can be written by others") as refusal:
        load_trust(policy)
    assert "chmod go-w" in str(refusal.value)


@pytest.mark.parametrize("which", ["policy.toml", "mate.pub", "."])
def test_a_file_or_folder_of_another_user_is_refused(policy: Path, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = policy.parent / which
    if os.geteuid() == 0:
        os.chown(path, 54321, -1)
    else:
        # An ordinary user cannot give a file away; the files stay and the reader becomes somebody else.
        monkeypatch.setattr("os.geteuid", lambda: 54321)
    with pytest.raises(ArgosyError, match="belongs to another user"):
        load_trust(policy)


def test_a_link_is_judged_by_the_file_it_leads_to(policy: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere.toml"
    link.symlink_to(policy)
    policy.chmod(0o666)
    with pytest.raises(ArgosyError, match="can be written by others"):
        load_trust(link)


def test_one_key_under_two_names_is_refused(policy: Path) -> None:
    (policy.parent / "twin.pub").write_bytes((policy.parent / "mate.pub").read_bytes())
    policy.write_text(policy.read_text() + '[keys.twin]\nfile = "twin.pub"\n')
    with pytest.raises(UsageError, match="the same key"):
        load_trust(policy)


def test_a_key_that_is_absent_is_named(policy: Path) -> None:
    (policy.parent / "mate.pub").unlink()
    with pytest.raises(ArgosyError, match=r"mate\.pub"):
        load_trust(policy)
