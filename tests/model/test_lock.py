"""A lock is the same text for the same build, and is read as strictly as a recipe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from argosy.errors import UsageError
from argosy.model import lock
from argosy.model.digest import Digest
from argosy.model.lock import Lock

LOCK = Lock(
    recipe="code",
    version="1.2.3",
    recipe_digest=Digest.of(b"recipe"),
    sources={"b.tar.gz": Digest.of(b"b"), "a.tar.gz": Digest.of(b"a")},
    patches={"fix.patch": Digest.of(b"fix")},
    toolchain="packages",
    clang="22.1.8",
    toolchain_digest=Digest.of(b"toolchain"),
    mpi_digest=None,
    numerics="fast",
    flags=("-DX=1",),
    builder_digest=Digest.of(b"builder"),
    requires={"blas": Digest.of(b"blas")},
    programs={"code": Digest.of(b"code")},
)


def test_a_lock_is_read_back_as_it_was_written() -> None:
    assert lock.parse(LOCK.render(), where="lock.json") == LOCK
    with_mpi = replace(LOCK, mpi_digest=Digest.of(b"mpi"))
    assert lock.parse(with_mpi.render(), where="lock.json") == with_mpi


def test_the_order_in_which_things_were_found_does_not_show() -> None:
    other = replace(LOCK, sources=dict(reversed(LOCK.sources.items())))
    assert other.render() == LOCK.render()
    assert other.digest() == LOCK.digest()


@pytest.mark.parametrize("field", ["recipe_digest", "toolchain_digest", "builder_digest", "mpi_digest"])
def test_another_input_is_another_lock(field: str) -> None:
    assert replace(LOCK, **{field: Digest.of(b"other")}).digest() != LOCK.digest()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"clang"', '"clank"', "clank: unknown key; did you mean 'clang'?"),
        (str(Digest.of(b"a")), "sha256:../../etc", "sources.a.tar.gz: 'sha256:../../etc' is not"),
        ('"format": 1', '"format": 2', "format: 2 is not between 1 and 1"),
        ("{", "", "not JSON"),
    ],
)
def test_a_damaged_lock_is_refused_by_name(old: str, new: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        lock.parse(LOCK.render().replace(old, new, 1), where="build/code/lock.json")
    assert str(caught.value).startswith("build/code/lock.json: ")
    assert expected in str(caught.value)
