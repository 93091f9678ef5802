"""A program's last step: the note which recipe made it, and the check that nothing of this machine is in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.files import write_whole
from argosy.model.note import RECIPE_SECTION, RecipeNote
from argosy.model.wasm import MAGIC, append_custom_section

_NO_MAIN = b"undefined_weak:main"  # the name that the linker gives the trap in place of a main that it did not find


def write_noted(linked: Path, target: Path, note: RecipeNote, *, strangers: Iterable[Path] = ()) -> None:
    """Put the linked module with its note at `target`.

    Raises ArgosyError where `linked` is no wasm module, has no main function, or has the path of one of the
    `strangers` in it: folders of this build, which would give it another digest elsewhere.
    """
    module = linked.read_bytes()
    if not module.startswith(MAGIC):
        raise ArgosyError(
            f"recipe {note.name} made {linked.name}, which is not a wasm module",
            advice='its build used another compiler than $CC; set a makefile\'s by build.variables = { CC = "…" }',
        )
    if _NO_MAIN in module:
        raise ArgosyError(
            f"{linked.name} of recipe {note.name} has no main function",
            advice="name the source that defines it, in C, in build.sources or the program's sources",
        )
    for folder in strangers:
        if str(folder).encode() in module:
            raise ArgosyError(
                f"{linked.name} of recipe {note.name} has this machine's path {folder} in it, "
                "so another build of it would differ",
                advice="a build step writes its folder into a source or header; patch that, or define it otherwise",
            )
    write_whole(target, append_custom_section(module, RECIPE_SECTION, note.encoded()), mode=0o755)
