"""`argosy copy`, `argosy delete`: artifacts with their signatures between registries, folders and archives."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.artifacts import REFERENCE_HELP, add_registry_options, open_reference
from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.output import print_json, print_pairs, size
from argosy.errors import ArgosyError, UsageError

if TYPE_CHECKING:
    from argosy.model.reference import Reference
    from argosy.oci.copy import Copied
    from argosy.oci.registry import Registry

_COPY = """\
examples:
  argosy copy registry.site:5000/hpc/hpcc:1.5 oci:layout            into a folder, with signatures and attestations
  argosy copy oci:layout:hpcc registry.site:5000/hpc/hpcc:1.5       and back
  argosy copy --all registry.site:5000/hpc/hpcc oci:layout          every tag
  argosy copy --add-policy policy.toml registry.site:5000/hpc/hpcc:1.5 oci-archive:hpcc.tar
                                                                    one file for a site without a network
  argosy copy --save-policy proposed oci-archive:hpcc.tar oci:layout
                                                                    there: the policy is put aside to be read, the rest
                                                                    into a folder

No digest changes. What the target has is not sent again, and an interrupted copy goes on where it was."""

_DELETE = """\
examples:
  argosy delete registry.site:5000/hpc/hpcc:1.4              the tag; the artifact too where no other tag names it
  argosy delete registry.site:5000/hpc/hpcc@sha256:…         the artifact, every tag of it, its signatures
  argosy delete oci:layout:hpcc

A registry frees the space when its garbage is collected; a folder's blobs go when they are an hour old."""

_PARALLEL = 8
_GRACE = 3600.0  # seconds; see Layout.collect


def add_copy(commands: Commands) -> None:
    """Add `copy` to the command line."""
    parser = add_command(
        commands, "copy", "copy an artifact with its signatures to another place", epilog=_COPY, act=_copy
    )
    archive = "; oci-archive:FILE[:TAG] for a tar file"
    parser.add_argument("source", metavar="SOURCE", help=REFERENCE_HELP + archive)
    parser.add_argument("target", metavar="TARGET", help="likewise; without a tag, SOURCE's")
    parser.add_argument("--all", action="store_true", help="every tag of SOURCE")
    parser.add_argument(
        "--alone", action="store_true", help="the artifact alone, without what refers to it or is signed of it"
    )
    parser.add_argument(
        "--add-policy", type=Path, metavar="FILE", help="put this trust policy and its public keys into the archive"
    )
    parser.add_argument("--save-policy", type=Path, metavar="FOLDER", help="put the archive's policy there, to be read")
    add_registry_options(parser)
    add_json(parser)


def add_delete(commands: Commands) -> None:
    """Add `delete` to the command line."""
    parser = add_command(
        commands, "delete", "remove an artifact from a registry or folder", epilog=_DELETE, act=_delete
    )
    parser.add_argument("reference", metavar="REF", help=REFERENCE_HELP)
    add_registry_options(parser)
    add_json(parser)


def _copy(options: argparse.Namespace) -> int:
    from argosy.model.reference import Reference
    from argosy.sign.cosign import is_companion_tag

    source, target = Reference.parse(options.source), Reference.parse(options.target)
    if source.name == target.name and not options.all and target.tag is None:
        raise UsageError(f"{source} and {target} are the same place", advice="name another tag to copy to")
    if (options.add_policy and not target.archive) or (options.save_policy and not source.archive):
        raise UsageError("a policy travels in an archive only", advice="oci-archive:FILE")
    with _opened(options, source, write=False) as there, _opened(options, target, write=True) as here:
        if options.save_policy:
            _save_policy(there, options.save_policy)
        if options.all:
            if source.tag or source.digest or target.tag or target.digest:
                raise UsageError("--all copies every tag: name the places alone", advice=source.name)
            tags = [tag for tag in there.tags() if not is_companion_tag(tag)]
            pairs = [(source.tagged(tag), target.tagged(tag)) for tag in tags]
        else:
            tag = target.tag or (source.tag or _default_tag(source) if target.digest is None else None)
            pairs = [(source, target.tagged(tag) if tag else target)]
        done = _copy_each(options, pairs, there, here)
        if options.add_policy:
            _add_policy(here, options.add_policy)
    if options.json:
        print_json({"copied": [{"source": str(one), "target": str(two), **_told(copied)} for one, two, copied in done]})
    else:
        print_pairs((str(two), f"{copied.digest}  {size(copied.bytes)} sent") for _, two, copied in done)
    return 0


def _default_tag(source: Reference) -> str | None:
    return "latest" if source.registry is not None and source.digest is None else None


def _copy_each(
    options: argparse.Namespace, pairs: list[tuple[Reference, Reference]], there: Registry, here: Registry
) -> list[tuple[Reference, Reference, Copied]]:
    """Copy each pair, several at once; each thread has connections of its own, for one pair after the other."""
    from argosy.oci.copy import copy

    own = threading.local()

    def opened(reference: Reference, known: Registry) -> Registry:
        if reference.registry is None or len(pairs) == 1:
            return known
        places: dict[str, Registry] = own.__dict__.setdefault("places", {})
        if reference.name not in places:
            places[reference.name] = open_reference(options, reference.name)[1]
        return places[reference.name]

    def one(pair: tuple[Reference, Reference]) -> tuple[Reference, Reference, Copied]:
        source, target = pair
        come_from, go_to, selector = opened(source, there), opened(target, here), source.digest or source.tag
        return source, target, copy(come_from, go_to, selector, tag=target.tag, companions=not options.alone)

    with ThreadPoolExecutor(_PARALLEL) as pool:
        return list(pool.map(one, pairs))


def _told(copied: Copied) -> dict[str, object]:
    return {
        "digest": str(copied.digest),
        "manifests": copied.manifests,
        "blobs_sent": copied.blobs,
        "bytes_sent": copied.bytes,
    }


@contextlib.contextmanager
def _opened(options: argparse.Namespace, reference: Reference, *, write: bool) -> Iterator[Registry]:
    from argosy.oci import archive

    if reference.archive:
        with archive.opened(Path(reference.repository), write=write) as layout:
            yield layout
    else:
        yield open_reference(options, reference.name)[1]


def _add_policy(here: Registry, file: Path) -> None:
    from argosy.oci.archive import POLICY
    from argosy.oci.layout import Layout
    from argosy.sign.trust import load_trust

    trust = load_trust(file)
    assert isinstance(here, Layout)
    folder = here.path / POLICY
    folder.mkdir(exist_ok=True)
    shutil.copyfile(file, folder / "policy.toml")
    for key in trust.policy.keys:
        if "/" in key.file:
            raise UsageError(
                f"{file}: the key {key.name!r} is in a folder of its own", advice="put it beside the policy"
            )
        shutil.copyfile(file.parent / key.file, folder / key.file)


def _save_policy(there: Registry, folder: Path) -> None:
    from argosy.oci.archive import POLICY
    from argosy.oci.layout import Layout

    assert isinstance(there, Layout)
    source = there.path / POLICY
    if not source.is_dir():
        raise ArgosyError("the archive holds no policy")
    try:
        folder.mkdir(parents=True)
        for path in sorted(source.iterdir()):
            shutil.copyfile(path, folder / path.name)
    except FileExistsError:
        raise UsageError(
            f"{folder} is there already", advice="name a new folder: nothing is to be overwritten"
        ) from None
    except OSError as error:
        raise ArgosyError(f"cannot put the policy into {folder}: {error.strerror}") from error


def _delete(options: argparse.Namespace) -> int:
    from argosy.oci.layout import Layout
    from argosy.oci.remove import remove

    reference, registry = open_reference(options, options.reference)
    if reference.tag is None and reference.digest is None:
        raise UsageError(f"{reference} names a whole place", advice="name a tag or a digest in it")
    removed = remove(registry, reference)
    freed = registry.collect(older_than=_GRACE) if isinstance(registry, Layout) else []
    if options.json:
        print_json({"removed": [str(one) for one in removed], "blobs_freed": [str(one) for one in freed]})
    else:
        print_pairs([("removed", str(one)) for one in removed])
    return 0
