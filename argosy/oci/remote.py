"""A repository of a registry that speaks the OCI distribution specification 1.1."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import quote, urljoin

from argosy.errors import ArgosyError
from argosy.model import strict_json
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, MANIFEST, Descriptor, Index, Manifest
from argosy.oci import fallback
from argosy.oci.challenge import origin
from argosy.oci.download import download
from argosy.oci.patience import Patience
from argosy.oci.registry import (
    Advance,
    NotFoundError,
    StoredManifest,
    check_manifest_digest,
)
from argosy.oci.transport import RefusedError, Transport
from argosy.oci.upload import check_stored, upload

# Docker's own types are asked for so that a container image is refused by its name rather than "not found".
_DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
_ACCEPT = {"Accept": ", ".join((MANIFEST, INDEX, _DOCKER))}
_DEFAULT_TAG = "latest"
PAGE = 1000  # tags that are asked for at a time
_MOST_PAGES, _MOST_TAGS = 1000, 100_000
_BLOB_UNKNOWN, _BLOB_ATTEMPTS = "MANIFEST_BLOB_UNKNOWN", 5
_MOUNT_ANSWERS = {201, 202, 400, 404, 405}  # mounted; to be sent after all; not done here, or not there
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_NEXT = re.compile(r'\s*<([^<>\s]+)>\s*;\s*rel="?next"?')


class Remote:
    """The repository `repository` on the host of `transport`."""

    def __init__(self, transport: Transport, repository: str) -> None:
        self.transport = transport
        self.repository = repository

    @property
    def name(self) -> str:
        return f"{self.transport.host}/{self.repository}"

    def resolve(self, selector: str | Digest | None) -> Descriptor:
        url, action = self._manifest_url(selector), f"find {self._what(selector)}"
        with self.transport.send("HEAD", url, action=action, expected={200}, headers=_ACCEPT) as response:
            told, size = response.headers.get("Docker-Content-Digest"), response.headers.get("Content-Length", "")
            media_type = _media_type(response.headers.get("Content-Type"))
        if told is None or not size.isdecimal():
            return self.manifest(selector).descriptor
        digest = Digest.parse(told)
        if isinstance(selector, Digest) and digest != selector:
            raise ArgosyError(f"{self.name} answers {digest} to {selector}")
        return Descriptor(media_type=media_type, digest=digest, size=int(size))

    def manifest(self, selector: str | Digest | None) -> StoredManifest:
        url, action = self._manifest_url(selector), f"get {self._what(selector)}"
        with self.transport.send("GET", url, action=action, expected={200}, headers=_ACCEPT) as response:
            data = self.transport.read(response, limit=strict_json.LARGEST_DOCUMENT, action=action)
            told = response.headers.get("Docker-Content-Digest")
            media_type = _media_type(response.headers.get("Content-Type"))
        if isinstance(selector, Digest):
            check_manifest_digest(data, selector, self.name)
        elif told is not None:
            check_manifest_digest(data, Digest.parse(told), self.name)
        return StoredManifest(
            descriptor=Descriptor(media_type=media_type, digest=Digest.of(data), size=len(data)), data=data
        )

    def blob(self, descriptor: Descriptor, file: IO[bytes], advance: Advance) -> None:
        action = f"get {descriptor.digest} from {self.name}"
        url = self._blob_url(descriptor)
        download(self.transport, url, descriptor, file, advance, action=action, place=self.name)

    def has_blob(self, descriptor: Descriptor) -> bool:
        action = f"look for {descriptor.digest} in {self.name}"
        with self.transport.send("HEAD", self._blob_url(descriptor), action=action, expected={200, 404}) as response:
            return response.status_code == 200

    def put_blob(self, descriptor: Descriptor, source: Path | bytes, advance: Advance, *, absent: bool = False) -> None:
        if not absent and self.has_blob(descriptor):
            advance(descriptor.size)
        else:
            upload(self.transport, self.repository, descriptor, source, advance)

    def mount(self, descriptor: Descriptor, source: str) -> bool:
        """Let this repository have a blob that the repository `source` of the same registry has, without sending it.

        False when the registry does not do that, or not for this one.
        """
        url = f"/v2/{self.repository}/blobs/uploads/?mount={descriptor.digest}&from={quote(source, safe='')}"
        action = f"mount {descriptor.digest} from {source} in {self.name}"
        with self.transport.send("POST", url, action=action, expected=_MOUNT_ANSWERS, body=lambda: b"") as response:
            if response.status_code == 201:
                check_stored(response, descriptor.digest, action)
        return response.status_code == 201

    def put_manifest(self, data: bytes, media_type: str, tag: str | None) -> Descriptor:
        stored, noted = self._put(data, media_type, tag)
        if media_type == MANIFEST and not noted:
            self._list_referrers([(stored, Manifest.parse(data))])
        return stored

    def put_referrers(self, manifests: Sequence[bytes]) -> None:
        put = [(*self._put(data, MANIFEST, None), Manifest.parse(data)) for data in manifests]
        self._list_referrers([(stored, manifest) for stored, noted, manifest in put if not noted])

    def _list_referrers(self, stored: Sequence[tuple[Descriptor, Manifest]]) -> None:
        """List those of the manifests that refer to something, where the registry does not do so itself."""
        subjects: dict[Digest, list[Descriptor]] = {}
        for descriptor, manifest in stored:
            if manifest.subject is not None:
                subjects.setdefault(manifest.subject.digest, []).append(fallback.referrer(descriptor, manifest))
        for subject, entries in subjects.items():
            fallback.add(self, subject, entries)

    def _put(self, data: bytes, media_type: str, tag: str | None) -> tuple[Descriptor, bool]:
        """Store a manifest; gives also whether the registry has taken note of what it refers to."""
        digest = Digest.of(data)
        url = f"/v2/{self.repository}/manifests/{quote(tag, safe='') if tag is not None else digest}"
        action = f"push the manifest {tag or digest} to {self.name}"
        headers = {"Content-Type": media_type}
        patience = Patience(self.transport.patience)
        for attempt in itertools.count(1):
            try:
                with self.transport.send(
                    "PUT", url, action=action, expected={201}, headers=headers, body=lambda: data
                ) as response:
                    check_stored(response, digest, action)
                    noted = "OCI-Subject" in response.headers
                break
            except RefusedError as error:
                # docker-registry does not see a blob for a moment while somebody else stores the same one.
                passing = (
                    _BLOB_UNKNOWN in error.codes and attempt < _BLOB_ATTEMPTS and self._has_blobs(data, media_type)
                )
                if not passing or not patience.wait():
                    raise
        return Descriptor(media_type=media_type, digest=digest, size=len(data)), noted

    def _has_blobs(self, data: bytes, media_type: str) -> bool:
        """Whether everything that a manifest names is here."""
        if media_type != MANIFEST:
            return False
        manifest = Manifest.parse(data)
        return all(self.has_blob(one) for one in (manifest.config, *manifest.layers))

    def delete(self, selector: str | Digest) -> None:
        subject = self._subject(selector) if isinstance(selector, Digest) else None
        action = f"delete {self._what(selector)}"
        with self.transport.send("DELETE", self._manifest_url(selector), action=action, expected={200, 202}):
            pass
        if subject is not None and isinstance(selector, Digest):
            fallback.remove(self, subject, selector)

    def _subject(self, digest: Digest) -> Digest | None:
        """What a manifest refers to."""
        stored = self.manifest(digest)
        if stored.descriptor.media_type != MANIFEST:
            return None
        subject = Manifest.parse(stored.data).subject
        return None if subject is None else subject.digest

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        yield False

    def tags(self) -> list[str]:
        found: set[str] = set()
        full, last = True, ""
        # A registry may cut the list off and not say so, by no Link: one that is as long as was asked for may go on.
        while full:
            known, full = len(found), False
            for page in self._pages(f"/v2/{self.repository}/tags/list?n={PAGE}{last}", f"list the tags of {self.name}"):
                listed = self._tags(page)
                found.update(listed)
                full = len(listed) == PAGE
                if len(found) > _MOST_TAGS:
                    raise ArgosyError(f"{self.name} has more than {_MOST_TAGS} tags; so many are not read")
            full = full and len(found) > known
            last = f"&last={quote(max(found), safe='')}" if found else ""
        return sorted(found)

    def _tags(self, page: bytes) -> list[str]:
        tags = strict_json.read(page, f"{self.name}: the list of tags").get("tags")
        listed = [] if tags is None else tags
        if not isinstance(listed, list) or not all(isinstance(tag, str) and _TAG.fullmatch(tag) for tag in listed):
            raise ArgosyError(f"{self.name} gave a list of tags that are none")
        return listed

    def referrers(self, digest: Digest, artifact_type: str | None = None) -> list[Descriptor]:
        action = f"list what refers to {digest} in {self.name}"
        found: list[Descriptor] = []
        try:
            for page in self._pages(f"/v2/{self.repository}/referrers/{digest}", action):
                found += Index.parse(page, what=f"{self.name}: the referrers of {digest}").manifests
        except NotFoundError:
            found = fallback.listed(self, digest)
        else:
            bare = [one for one in found if one.artifact_type is None]  # the type is owed, and not always given
            found = [one for one in found if one.artifact_type is not None] + fallback.opened(self, digest, bare)
        return [one for one in found if artifact_type in (None, one.artifact_type)]

    def _pages(self, url: str, action: str) -> Iterator[bytes]:
        """The bodies of a listing's pages. A next page on another host is not a next page."""
        url = urljoin(self.transport.base, url)
        seen: set[str] = set()
        while url not in seen and len(seen) < _MOST_PAGES:
            seen.add(url)
            with self.transport.send("GET", url, action=action, expected={200}) as response:
                yield self.transport.read(response, limit=strict_json.LARGEST_DOCUMENT, action=action)
                following = _NEXT.match(response.headers.get("Link", ""))
            if following is None:
                return
            url = urljoin(url, following[1])
            if origin(url) != origin(self.transport.base):
                raise ArgosyError(f"cannot {action}: the list goes on at another host, which is not followed")
        raise ArgosyError(f"cannot {action}: the list does not end")

    def _manifest_url(self, selector: str | Digest | None) -> str:
        return f"/v2/{self.repository}/manifests/{quote(str(selector or _DEFAULT_TAG), safe=':')}"

    def _blob_url(self, descriptor: Descriptor) -> str:
        return f"/v2/{self.repository}/blobs/{descriptor.digest}"

    def _what(self, selector: str | Digest | None) -> str:
        return f"{self.name}{'@' if isinstance(selector, Digest) else ':'}{selector or _DEFAULT_TAG}"


def _media_type(header: str | None) -> str:
    return (header or MANIFEST).partition(";")[0].strip().lower()
