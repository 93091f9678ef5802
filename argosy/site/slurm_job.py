"""What a Slurm job names, so that its nodes can be made ready for it: artifacts in its comment, and a site's manifest.

A job's comment holds words `argosy=REF[,REF…]` among any others; `argosy slurm submit` writes one. Plug-ins of Slurm
(SPANK) may hand a job's variables to the prolog, with SPANK_ before their names: `SPANK_ARGOSY_ARTIFACTS`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from argosy.errors import ArgosyError, UsageError
from argosy.files import distrust
from argosy.model.reference import Reference
from argosy.model.strict import Table
from argosy.site import slurm_commands

WORD = "argosy="
_VARIABLE = "SPANK_ARGOSY_ARTIFACTS"
_MOST = 16  # artifacts that one job may have made ready
_LARGEST_MANIFEST = 1 << 20  # bytes
_KEYS = ("partitions", "artifacts")


@dataclass(frozen=True, kw_only=True)
class Job:
    """The job that a prolog is called for, as Slurm's variables say (Slurm's Prolog and Epilog Guide)."""

    number: str
    user: int
    partition: str
    comment: str
    variable: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Job:
        """Raises UsageError outside a prolog."""
        number = environment.get("SLURM_JOB_ID", "")
        user = environment.get("SLURM_JOB_UID", "")
        if not (number.isdecimal() and user.isdecimal()):
            raise UsageError(
                "no $SLURM_JOB_ID and $SLURM_JOB_UID: this is what slurmd calls before a job",
                advice="argosy slurm prolog --write FILE writes what slurm.conf's Prolog= names",
            )
        comment = environment.get("SLURM_JOB_COMMENT")
        return cls(
            number=number,
            user=int(user),
            partition=environment.get("SLURM_JOB_PARTITION", ""),
            comment=slurm_commands.comment_of(number) if comment is None else comment,
            variable=environment.get(_VARIABLE, ""),
        )

    def names(self) -> tuple[Reference, ...]:
        """The artifacts that the job names, each once. Raises UsageError for what is no reference, or too many."""
        texts = [
            text for word in self.comment.replace(";", " ").split() if word.startswith(WORD) for text in _list(word)
        ]
        references = tuple(dict.fromkeys(map(absolute, [*texts, *filter(None, self.variable.split(","))])))
        if len(references) > _MOST:
            raise UsageError(f"job {self.number} names {len(references)} artifacts; {_MOST} are made ready at most")
        return references


def _list(word: str) -> list[str]:
    return [text for text in word.removeprefix(WORD).split(",") if text]


def absolute(text: str) -> Reference:
    """The reference, which must mean the same on every node. Raises UsageError for another."""
    reference = Reference.parse(text)
    if reference.layout is not None and not reference.layout.is_absolute():
        raise UsageError(f"{text} is relative to some folder, and a node knows none", advice="write the whole path")
    return reference


def comment_word(reference: Reference) -> str:
    """The word for a job's comment that names the artifact. Raises UsageError where none can."""
    text = str(reference)
    if any(letter.isspace() or letter in ",;\"'\\" or not letter.isprintable() for letter in text):
        raise UsageError(f"{text!r} cannot stand in a job's comment", advice="use a path of plain letters")
    return f"{WORD}{text}"


def manifest_artifacts(path: Path, partition: str) -> tuple[Reference, ...]:
    """What the site's manifest has ready on every node of the partition.

    The file is tables `[[prepare]]` of `artifacts` and `partitions` (patterns; left out: all). Raises UsageError naming
    the key that is wrong, ArgosyError for a file that others could have written.
    """
    try:
        with path.open("rb") as file:
            if reason := distrust(os.fstat(file.fileno())):
                raise ArgosyError(f"{path} says what is made ready for jobs: {reason}", advice=f"chmod go-w {path}")
            data = file.read(_LARGEST_MANIFEST + 1)
        if len(data) > _LARGEST_MANIFEST:
            raise UsageError(
                f"{path} is larger than {_LARGEST_MANIFEST >> 20} MiB",
                advice="is it the manifest? It names artifacts only",
            )
        values = tomllib.loads(data.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    found: list[Reference] = []
    for table in Table(str(path), "", values, ("prepare",)).tables("prepare", _KEYS):
        references = []
        for place, text in enumerate(table.texts("artifacts")):
            try:
                references.append(absolute(text))
            except UsageError as error:
                table.fail(f"artifacts[{place}]", error.what)
        if any(fnmatchcase(partition, pattern) for pattern in table.texts("partitions", ("*",))):
            found += references
    return tuple(dict.fromkeys(found))
