"""`argosy push`: a built module, described and signed, into a registry or a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from argosy.cli.artifacts import REFERENCE_HELP, add_registry_options
from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.keys import add_key_option, chosen_key
from argosy.cli.output import print_json, print_pairs
from argosy.errors import UsageError

_EPILOG = """\
examples:
  argosy push build/hpcc/hpcc.wasm oci:layout:hpcc                 into a folder, signed by your key
  argosy push build/hpcc/hpcc.wasm registry.site:5000/hpc/hpcc:1.5 into a registry
  argosy push --recipe recipes/hpcc build/hpcc/hpcc.wasm REF       with the recipe's licence, sources, homepage
  argosy push --key ci.key --repository registry.site:5000/hpc/hpcc hpcc.wasm oci:layout:hpcc
                                                                   into a folder that will be copied to that registry
  argosy push build-baseline/hpcc/hpcc.wasm build-simd/hpcc/hpcc.wasm build/hpcc/hpcc.wasm REF
                                                                   variants, built by `scons VARIANT=…`: each node takes
                                                                   the best for its CPU
  argosy push --compatible hpcc.wasm REF                           as a container image with the module in it, where a
                                                                   registry refuses Wasm artifacts
  argosy push --recipe recipes/hpcc --builder https://ci.site/builds/v1 build/hpcc/hpcc.wasm REF
                                                                   with provenance that says who built it
  argosy push --embed-signature hpcc.wasm REF                      with a signature in the file too (argosy verify FILE)
  argosy push --no-sign hpcc.wasm REF                              unsigned; no node will run it

With --recipe and the build's lock.json, SLSA provenance, an SPDX bill of materials and the recipes themselves are
stored beside the artifact, signed likewise: `argosy rebuild REF` builds it again from these.
A registry's name and password are read from ~/.docker/config.json. Without a key: argosy keys generate."""


def add_push(commands: Commands) -> None:
    """Add `push` to the command line."""
    parser = add_command(
        commands, "push", "sign a module and put it in a registry or folder", epilog=_EPILOG, act=_push
    )
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="the .wasm file; several are variants of one application"
    )
    parser.add_argument("reference", metavar="REF", help=REFERENCE_HELP)
    signing = parser.add_mutually_exclusive_group()
    add_key_option(signing)
    signing.add_argument("--no-sign", action="store_true", help="do not sign")
    parser.add_argument(
        "--embed-signature",
        action="store_const",
        const="document",
        help="also sign inside the module, as tool-conventions' Signatures.md says",
    )
    parser.add_argument(
        "--embed-wasmsign2",
        dest="embed_signature",
        action="store_const",
        const="wasmsign2",
        help="likewise, encoded as the tool wasmsign2 writes and reads it",
    )
    parser.add_argument("--repository", metavar="NAME", help="the name to sign for, where REF is a folder")
    parser.add_argument("--recipe", type=Path, metavar="FOLDER", help="the recipe that describes the module")
    parser.add_argument("--lock", type=Path, metavar="FILE", help="the build's lock (default: lock.json beside FILE)")
    parser.add_argument("--builder", metavar="URI", help="who built it, for the provenance (default: $ARGOSY_BUILDER)")
    parser.add_argument("--no-provenance", action="store_true", help="neither provenance nor bill of materials")
    parser.add_argument(
        "--compatible",
        action="store_true",
        help="as a container image, for registries that take nothing else",
    )
    add_registry_options(parser)
    add_json(parser)


def _push(options: argparse.Namespace) -> int:
    from argosy.build.recipes import load
    from argosy.model.reference import Reference
    from argosy.model.wasm_signature import Encoding
    from argosy.pipeline.publish import Terms, publish_variants

    reference = Reference.parse(options.reference)
    if reference.digest is not None:
        raise UsageError(
            f"{reference} names a digest, and what is pushed has its own", advice="name a tag: REPOSITORY:TAG"
        )
    if reference.registry is not None and reference.tag is None:
        reference = reference.tagged("latest")
    # The key is opened before anything is sent: a wrong passphrase must leave no unsigned artifact behind.
    key = None if options.no_sign else chosen_key(options)
    if options.lock is not None and len(options.files) > 1:
        raise UsageError("--lock names one lock, and each variant has its own", advice="leave it beside each FILE")
    terms = Terms(
        recipe=load(options.recipe) if options.recipe is not None else None,
        repository=options.repository,
        plain_http=options.plain_http,
        provenance=not options.no_provenance,
        builder=options.builder,
        embed=Encoding(options.embed_signature) if options.embed_signature else None,
        compatible=options.compatible,
    )
    done = publish_variants([(file, _lock(options, file)) for file in options.files], reference, key, terms)
    exact = f"{reference.name}@{done.digest}"
    if options.json:
        print_json(
            {
                "reference": exact,
                "tag": reference.tag,
                "digest": done.digest,
                "wasm": done.wasm,
                "signed_for": done.identity,
                "builder": done.builder,
            }
        )
        return 0
    signed = f"{done.identity}, by {key.public.fingerprint}" if key is not None else "not signed: no policy accepts it"
    print_pairs(
        [
            ("pushed", exact),
            ("tag", reference.tag or "none"),
            ("wasm", str(done.wasm)),
            ("signed for", signed),
            ("provenance", done.builder or "none: it takes --recipe, the build's lock.json and a key"),
        ]
    )
    return 0


def _lock(options: argparse.Namespace, file: Path) -> Path | None:
    """The lock that was named, else the one that a build leaves beside its program."""
    if options.lock is not None:
        named: Path = options.lock
        return named
    beside = file.with_name("lock.json")
    return beside if beside.is_file() else None
