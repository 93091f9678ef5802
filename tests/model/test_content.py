"""Which manifests hold a Wasm module, in the working group's form and as an image."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from argosy.errors import ArgosyError
from argosy.model import content
from argosy.model.content import Content, check_config
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor, Manifest

MODULE = Digest.of(b"wasm")
LAYER = Descriptor(media_type="application/wasm", digest=MODULE, size=4)
CONFIG = Descriptor(media_type="application/vnd.wasm.config.v0+json", digest=Digest.of(b"{}"), size=2)
WASM = Manifest(config=CONFIG, layers=(LAYER,))
TAR = Descriptor(media_type="application/vnd.oci.image.layer.v1.tar", digest=Digest.of(b"tar"), size=3)
IMAGE = Manifest(
    config=replace(CONFIG, media_type="application/vnd.oci.image.config.v1+json"),
    layers=(TAR,),
    annotations={"module.wasm.image/variant": "compat", "dev.argosy.module": str(MODULE)},
)


def test_both_forms_hold_the_same_module() -> None:
    assert content.content(WASM, "it") == Content(layer=LAYER, module=MODULE)
    assert content.content(IMAGE, "it") == Content(layer=TAR, module=MODULE, image=True)


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (replace(WASM, layers=()), "exactly one layer application/wasm; it has: none"),
        (replace(WASM, layers=(LAYER, LAYER)), "exactly one layer"),
        (replace(WASM, layers=(replace(LAYER, media_type="application/vnd.w.precompiled"),)), "exactly one layer"),
        (replace(WASM, layers=(TAR,)), "exactly one layer application/wasm"),
        (replace(WASM, config=IMAGE.config), "is not a Wasm application"),
        (replace(IMAGE, annotations={}), "is not a Wasm application"),
        (replace(IMAGE, annotations={"module.wasm.image/variant": "compat"}), "does not say which"),
        (replace(IMAGE, annotations={**IMAGE.annotations, "dev.argosy.module": "sha256:../../x"}), "not a digest"),
        (replace(IMAGE, layers=(LAYER,)), "exactly one layer application/vnd.oci.image.layer.v1.tar"),
        (replace(IMAGE, layers=(TAR, TAR)), "exactly one layer"),
        (replace(IMAGE, layers=(replace(TAR, media_type=TAR.media_type + "+gzip"),)), "exactly one layer"),
        (replace(IMAGE, config=CONFIG), "exactly one layer application/wasm"),
    ],
)
def test_another_kind_of_artifact_is_refused(manifest: Manifest, reason: str) -> None:
    with pytest.raises(ArgosyError) as refusal:
        content.content(manifest, "it")
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("held", "good"),
    [
        (content.content(WASM, "it"), content.config(MODULE, "1970-01-01T00:00:00Z")),
        (content.content(IMAGE, "it"), content.image_config(TAR.digest, "argo.wasm", "1970-01-01T00:00:00Z")),
    ],
    ids=["wasm", "image"],
)
def test_the_config_must_say_what_the_manifest_says(held: Content, good: bytes) -> None:
    check_config(good, held, "it")
    other = good.replace(str(held.layer.digest).encode(), str(Digest.of(b"other")).encode())
    with pytest.raises(ArgosyError, match="different layers"):
        check_config(other, held, "it")
    with pytest.raises(ArgosyError, match="wasip2"):
        check_config(good.replace(b"wasip1", b"wasip2"), held, "it")
    with pytest.raises(ArgosyError, match="amd64"):
        check_config(good.replace(b'"wasm"', b'"amd64"'), held, "it")
    with pytest.raises(ArgosyError, match="different layers"):
        check_config(json.dumps({"architecture": "wasm", "os": "wasip1", "rootfs": []}).encode(), held, "it")


@pytest.mark.parametrize(
    ("name", "file"),
    [("hpcc", "hpcc.wasm"), ("../../etc/passwd", "etc-passwd.wasm"), ("", "module.wasm"), ("a b\n", "a-b.wasm")],
)
def test_a_title_becomes_a_plain_file_name(name: str, file: str) -> None:
    assert content.file_name(name) == file
