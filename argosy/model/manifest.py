"""OCI descriptors, image manifests and image indexes, read strictly (image specification 1.1).

Everything here comes from a registry that may lie. A document that could be read both as a manifest and as an
index is refused (CVE-2021-41190), as is one whose own media type differs from the one it was served under.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from argosy.errors import ArgosyError
from argosy.model import strict_json
from argosy.model.digest import Digest
from argosy.model.strict_json import JsonObject

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"

_LARGEST_SIZE = (1 << 63) - 1
_MOST_LAYERS = 1024
_MOST_MANIFESTS = 16384


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What a manifest in an index is for."""

    architecture: str
    os: str
    variant: str | None = None

    def to_json(self) -> JsonObject:
        value: JsonObject = {"architecture": self.architecture, "os": self.os}
        if self.variant is not None:
            value["variant"] = self.variant
        return value


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """What names a blob or manifest: media type, digest, size in bytes; in an index, the platform that it is for."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    platform: Platform | None = None

    def to_json(self) -> JsonObject:
        value: JsonObject = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.artifact_type is not None:
            value["artifactType"] = self.artifact_type
        if self.platform is not None:
            value["platform"] = self.platform.to_json()
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return value


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One artifact: a config, its layers, and what it is about."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    subject: Descriptor | None = None

    @classmethod
    def parse(cls, data: bytes, *, media_type: str = MANIFEST, what: str = "the manifest") -> Manifest:
        """Read a manifest served as `media_type`. Raises ArgosyError naming the first thing that is wrong."""
        value = _document(data, MANIFEST, media_type, foreign=("manifests", "fsLayers", "signatures"), what=what)
        return cls(
            config=descriptor(value.get("config"), f"config of {what}"),
            layers=_descriptors(value.get("layers"), f"layers of {what}", _MOST_LAYERS),
            annotations=_annotations(value.get("annotations"), what),
            artifact_type=_optional_text(value.get("artifactType"), f"artifactType of {what}"),
            subject=None if value.get("subject") is None else descriptor(value["subject"], f"subject of {what}"),
        )

    def to_bytes(self) -> bytes:
        """The manifest's one serialized form; its digest is the artifact's."""
        value: JsonObject = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
        }
        if self.artifact_type is not None:
            value["artifactType"] = self.artifact_type
        if self.subject is not None:
            value["subject"] = self.subject.to_json()
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return strict_json.write(value)


@dataclass(frozen=True, kw_only=True)
class Index:
    """A list of manifests: a layout's index.json, or the answer to a referrers request."""

    manifests: tuple[Descriptor, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes, *, media_type: str = INDEX, what: str = "the index") -> Index:
        """Read an index served as `media_type`. Raises ArgosyError naming the first thing that is wrong."""
        value = _document(data, INDEX, media_type, foreign=("config", "layers", "fsLayers", "signatures"), what=what)
        listed = value.get("manifests")
        return cls(
            # docker-registry writes null for an empty list.
            manifests=_descriptors([] if listed is None else listed, f"manifests of {what}", _MOST_MANIFESTS),
            annotations=_annotations(value.get("annotations"), what),
        )

    def to_bytes(self) -> bytes:
        value: JsonObject = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [entry.to_json() for entry in self.manifests],
        }
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return strict_json.write(value)


def declared_media_type(data: bytes, what: str) -> str:
    """What the document says it is; a document that does not say is taken for a manifest."""
    return _optional_text(strict_json.read(data, what).get("mediaType"), f"mediaType of {what}") or MANIFEST


def descriptor(value: object, what: str) -> Descriptor:
    """A descriptor from JSON. Raises ArgosyError when a field is absent or has a wrong type."""
    if not isinstance(value, dict):
        raise ArgosyError(f"{what}: a descriptor is missing")
    media_type, digest, size = (cast("Any", value.get(key)) for key in ("mediaType", "digest", "size"))
    if not isinstance(media_type, str) or not 0 < len(media_type) <= 255 or not media_type.isprintable():
        raise ArgosyError(f"{what}: mediaType is not a media type")
    if not isinstance(digest, str):
        raise ArgosyError(f"{what}: digest is missing")
    if type(size) is not int or not 0 <= size <= _LARGEST_SIZE:
        raise ArgosyError(f"{what}: size is not a count of bytes")
    return Descriptor(
        media_type=media_type,
        digest=Digest.parse(digest),
        size=size,
        annotations=_annotations(value.get("annotations"), what),
        artifact_type=_optional_text(value.get("artifactType"), f"artifactType of {what}"),
        platform=_platform(value.get("platform"), what),
    )


def _platform(value: object, what: str) -> Platform | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ArgosyError(f"{what}: platform is not an object")
    architecture, os, variant = (
        _optional_text(value.get(key), f"{key} of the platform of {what}") for key in ("architecture", "os", "variant")
    )
    return Platform(architecture=architecture or "", os=os or "", variant=variant)


def _document(data: bytes, wanted: str, served: str, *, foreign: tuple[str, ...], what: str) -> JsonObject:
    if served != wanted:
        raise ArgosyError(f"{what} is of media type {served[:200]!r}, not {wanted!r}")
    value = strict_json.read(data, what)
    if type(value.get("schemaVersion")) is not int or value["schemaVersion"] != 2:
        raise ArgosyError(f"{what}: schemaVersion is not 2")
    if value.get("mediaType", wanted) != wanted:
        raise ArgosyError(f"{what} was served as {wanted!r} and calls itself {str(value['mediaType'])[:200]!r}")
    for key in foreign:
        if key in value:
            raise ArgosyError(f"{what} is ambiguous: {key!r} has no place in {wanted!r}")
    return value


def _descriptors(value: object, what: str, most: int) -> tuple[Descriptor, ...]:
    if not isinstance(value, list):
        raise ArgosyError(f"{what}: a list is missing")
    if len(value) > most:
        raise ArgosyError(f"{what}: {len(value)} entries; at most {most} are accepted")
    return tuple(descriptor(item, f"{what}, entry {number}") for number, item in enumerate(value))


def _annotations(value: object, what: str) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ArgosyError(f"{what}: annotations are not a map of text to text")
    return dict(value)


def _optional_text(value: object, what: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > 255:
        raise ArgosyError(f"{what} is not a short text")
    return value
