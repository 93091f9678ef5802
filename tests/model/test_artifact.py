"""Wasm artifacts as the CNCF layout has them, and what Argosy says in annotations."""

from __future__ import annotations

import pytest

from argosy.errors import ArgosyError
from argosy.model.artifact import Description
from argosy.model.digest import Digest

FULL = Description(
    name="hpcc",
    version="1.5.0",
    summary="HPC Challenge",
    licence="BSD-3-Clause",
    homepage="https://hpcchallenge.org/",
    numerics="exact",
    mpi_abi="1",
    imports=("argosy_mpi_1.MPI_Init", "wasi_snapshot_preview1.fd_write"),
    features=("simd128",),
    sources=(Digest.of(b"a"), Digest.of(b"b")),
    folders=(".",),
    environment=("OMP_NUM_THREADS",),
    lock=Digest.of(b"lock"),
)


def test_a_description_survives_its_annotations() -> None:
    annotations = FULL.to_annotations()
    assert Description.from_annotations(annotations) == FULL
    assert annotations["org.opencontainers.image.title"] == "hpcc"
    assert annotations["org.opencontainers.image.licenses"] == "BSD-3-Clause"
    assert annotations["dev.argosy.imports"] == '["argosy_mpi_1.MPI_Init","wasi_snapshot_preview1.fd_write"]'


def test_what_is_not_said_leaves_no_annotation() -> None:
    assert Description(name="x").to_annotations() == {"org.opencontainers.image.title": "x"}


@pytest.mark.parametrize(
    ("key", "text"),
    [("numerics", "roughly"), ("imports", "a.b"), ("imports", "[1]"), ("sources", '["sha256:x"]'), ("lock", "x")],
)
def test_a_malformed_annotation_is_refused(key: str, text: str) -> None:
    with pytest.raises(ArgosyError):
        Description.from_annotations({f"dev.argosy.{key}": text})
