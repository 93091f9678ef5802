"""References are read as people and skopeo write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from argosy.errors import ArgosyError, UsageError
from argosy.model.digest import Digest
from argosy.model.reference import Reference, check_repository

DIGEST = Digest.of(b"hpcc")


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("localhost:5000/hpcc:1.5.0", "localhost:5000", "hpcc", "1.5.0", None),
        ("localhost/hpcc", "localhost", "hpcc", None, None),
        ("registry.example.org/hpc/hpcc", "registry.example.org", "hpc/hpcc", None, None),
        (f"127.0.0.1:5000/a/b__c:v1@{DIGEST}", "127.0.0.1:5000", "a/b__c", "v1", DIGEST),
        ("[::1]:5000/hpcc:x", "[::1]:5000", "hpcc", "x", None),
        ("oci:dist", None, "dist", None, None),
        ("oci:/srv/artifacts:hpcc-1.5.0", None, "/srv/artifacts", "hpcc-1.5.0", None),
        ("oci:dist:hpcc:1.5.0", None, "dist", "hpcc:1.5.0", None),
        (f"oci:dist@{DIGEST}", None, "dist", None, DIGEST),
    ],
)
def test_a_reference_is_read_and_written_back(
    text: str, registry: str | None, repository: str, tag: str | None, digest: Digest | None
) -> None:
    reference = Reference.parse(text)
    assert reference == Reference(registry=registry, repository=repository, tag=tag, digest=digest)
    assert str(reference) == text


def test_a_layout_has_a_folder_and_a_registry_has_none() -> None:
    assert Reference.parse("oci:some/dist:x").layout == Path("some/dist")
    assert Reference.parse("localhost/x").layout is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hpcc",
        "hpcc:1.5",
        "library/hpcc",
        "localhost:5000/",
        "localhost:5000/HPCC",
        "localhost:5000/a//b",
        "localhost:5000/../../v2/x",
        "localhost:5000/hpcc:",
        "localhost:5000/hpcc:a b",
        "localhost:5000/hpcc:" + "t" * 129,
        "user:password@localhost:5000/hpcc",
        "http://localhost:5000/hpcc",
        "localhost:5000/hpcc?x=1",
        "local host:5000/hpcc",
        "oci:",
        "oci::tag",
        "oci:dist:",
        "oci:dist:a b",
        "oci:dist\n:x",
    ],
)
def test_a_wrong_reference_says_how_one_is_written(text: str) -> None:
    with pytest.raises(UsageError, match=r"oci:FOLDER\[:TAG\]"):
        Reference.parse(text)


def test_a_wrong_digest_in_a_reference_is_refused() -> None:
    with pytest.raises(ArgosyError, match="not a digest"):
        Reference.parse("localhost:5000/hpcc@sha256:beef")


def test_the_same_place_by_digest_and_by_tag() -> None:
    reference = Reference.parse("localhost:5000/hpcc:1.5.0")
    assert str(reference.at(DIGEST)) == f"localhost:5000/hpcc:1.5.0@{DIGEST}"
    assert str(reference.tagged("x")) == "localhost:5000/hpcc:x"


@pytest.mark.parametrize("name", ["hpc/hpcc", "localhost:5000/hpcc", "registry.example.org/a/b"])
def test_repository_names_are_checked(name: str) -> None:
    assert check_repository(name) == name


@pytest.mark.parametrize("name", ["", "HPCC", "a b", "../x", "a/", "https://x/y"])
def test_wrong_repository_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a repository name"):
        check_repository(name)


@pytest.mark.parametrize("text", ["user:hunter2@localhost:5000/hpcc", "http://user:hunter2@localhost:5000/hpcc:1"])
def test_a_password_in_a_wrong_reference_is_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Reference.parse(text)
    assert "hunter2" not in str(refusal.value)
