"""Wasm artifacts as the CNCF layout has them, and what Argosy says in annotations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from argosy.errors import ArgosyError
from argosy.model.artifact import WASM_CONFIG, WASM_LAYER, Description, check_config, config, wasm_layer
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor, Manifest

LAYER = Descriptor(media_type=WASM_LAYER, digest=Digest.of(b"wasm"), size=4)
CONFIG = Descriptor(media_type=WASM_CONFIG, digest=Digest.of(b"{}"), size=2)

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


def test_one_wasm_layer_is_the_layer() -> None:
    assert wasm_layer(Manifest(config=CONFIG, layers=(LAYER,)), "it") == LAYER


@pytest.mark.parametrize(
    "manifest",
    [
        Manifest(config=CONFIG, layers=()),
        Manifest(config=CONFIG, layers=(LAYER, LAYER)),
        Manifest(
            config=CONFIG, layers=(replace(LAYER, media_type="application/vnd.bytecodealliance.wasm.precompiled"),)
        ),
        Manifest(config=replace(CONFIG, media_type="application/vnd.oci.image.config.v1+json"), layers=(LAYER,)),
    ],
)
def test_another_kind_of_artifact_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ArgosyError, match=r"application/wasm|not a Wasm application"):
        wasm_layer(manifest, "it")


def test_the_config_must_say_what_the_manifest_says() -> None:
    good = config(LAYER.digest, "1970-01-01T00:00:00Z")
    check_config(good, LAYER, "it")
    with pytest.raises(ArgosyError, match="different layers"):
        check_config(config(Digest.of(b"other"), "1970-01-01T00:00:00Z"), LAYER, "it")
    with pytest.raises(ArgosyError, match="wasip2"):
        check_config(good.replace(b"wasip1", b"wasip2"), LAYER, "it")
