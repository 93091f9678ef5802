"""Applying a recipe's patches: unified diffs, exactly.

The sources are known by digest, so a hunk's lines are where it says or the patch is not for these sources: nothing is
searched for and nothing is fuzzy.
"""

from __future__ import annotations

import io
from pathlib import Path, PurePosixPath

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk, PatchedFile, PatchSet

from argosy.errors import ArgosyError
from argosy.files import write_whole
from argosy.model.recipe_source import Patch

_NOWHERE = "/dev/null"
_BYTES = {"encoding": "utf-8", "errors": "surrogateescape"}  # any byte survives, so sources need no one encoding


def apply(patch: Patch, *, recipe_folder: Path, tree: Path) -> None:
    """Apply `patch`, which lies in `recipe_folder`, to the source tree `tree`; all of its files or none.

    Raises ArgosyError that names the patch, the file and the hunk that does not apply.
    """
    text = (recipe_folder / patch.file).read_bytes().decode(**_BYTES)
    try:
        files = PatchSet(io.StringIO(text, newline="\n"))
    except UnidiffParseError as error:
        raise ArgosyError(f"{patch.file} is not a unified diff: {error}") from error
    if not files:
        raise ArgosyError(f"{patch.file} changes nothing: it is not a unified diff")
    changes = [_changed(file, patch, tree / patch.into) for file in files]
    for old, new, content in changes:
        if new is not None:
            mode = old.stat().st_mode & 0o777 if old is not None else 0o644
            write_whole(new, content.encode(**_BYTES), mode=mode)
        if old is not None and old != new:
            old.unlink()


def _changed(file: PatchedFile, patch: Patch, tree: Path) -> tuple[Path | None, Path | None, str]:
    """The file's path before and after (None: it does not exist then), and its new content."""
    old = _path(file.source_file, patch, tree)
    new = _path(file.target_file, patch, tree)
    if old is None:
        lines: list[str] = []
        if new is not None and new.exists():
            raise _error(patch, file, "it is to be created, and is there already")
    elif old.is_file():
        lines = io.StringIO(old.read_bytes().decode(**_BYTES), newline="\n").readlines()
    else:
        raise _error(patch, file, "there is no such file in the sources")
    result: list[str] = []
    done = 0  # lines of the old file that are dealt with
    for number, hunk in enumerate(file, 1):
        start = max(hunk.source_start - 1, 0) if hunk.source_length else hunk.source_start
        before, after = _sides(hunk)
        if start < done or lines[start : start + len(before)] != before:
            raise _error(patch, file, f"hunk {number} (line {hunk.source_start}) {_difference(lines, start, before)}")
        result += lines[done:start] + after
        done = start + len(before)
    return old, new, "".join(result + lines[done:])


def _sides(hunk: Hunk) -> tuple[list[str], list[str]]:
    """The hunk's lines before and after, with their line ends; a marker line takes the end from the line before it."""
    before: list[str] = []
    after: list[str] = []
    last: list[list[str]] = []
    for line in hunk:
        if line.line_type == "\\":
            for side in last:
                side[-1] = side[-1].removesuffix("\n")
            continue
        last = [before] if line.is_removed else [after] if line.is_added else [before, after]
        for side in last:
            side.append(line.value)
    return before, after


def _difference(lines: list[str], start: int, before: list[str]) -> str:
    for offset, wanted in enumerate(before):
        found = lines[start + offset] if start + offset < len(lines) else None
        if found != wanted:
            there = "the file's end" if found is None else repr(found.rstrip("\n"))
            return f"does not apply: line {start + offset + 1} is {there}, not {wanted.rstrip(chr(10))!r}"
    return "does not apply: it goes back before the hunk above it"


def _path(name: str, patch: Patch, tree: Path) -> Path | None:
    if name == _NOWHERE:
        return None
    path = PurePosixPath(name)
    parts = path.parts[patch.strip :]
    if path.is_absolute() or ".." in parts or not parts:
        raise ArgosyError(f"{patch.file}: {name!r} without {patch.strip} leading folders is no file of the sources")
    found = tree.joinpath(*parts)
    if not found.resolve().is_relative_to(tree.resolve()):
        raise ArgosyError(f"{patch.file}: {name!r} leads out of the sources")
    return found


def _error(patch: Patch, file: PatchedFile, problem: str) -> ArgosyError:
    return ArgosyError(
        f"{patch.file} does not fit the sources: {file.path}: {problem}",
        advice="make the patch anew against the sources that the recipe names",
    )
