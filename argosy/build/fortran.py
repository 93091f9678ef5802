"""Compiles Fortran 77: `python -I fortran.py CLANG ARGUMENT…`; f2c first makes C of each `.f` among the arguments.

This runs as a program of its own, so that it stands in a build's command line like any compiler, and imports nothing
of Argosy. `.F` goes through the C preprocessor before. f2c's `-E` has every file that names a COMMON block define it
weakly (see libf2c's f2c.h), for wasm objects know no common symbols.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

SUFFIXES = (".f", ".for", ".F", ".FOR")
_PREPROCESSED = (".F", ".FOR")
_INCLUDE = re.compile(r"""^\s+include\s*['"]([^'"]+)['"]""", re.IGNORECASE | re.MULTILINE)
_COMPILE = ("-std=gnu17", "-w", "-fno-strict-aliasing")
_ONLY_COMPILE = ("-c", "-S", "-E")


def main(arguments: Sequence[str]) -> int:
    """Compile, and link where the arguments do not say otherwise; gives the exit status."""
    clang, words = arguments[0], list(arguments[1:])
    sources = [Path(word) for word in words if word.endswith(SUFFIXES) and not word.startswith("-")]
    if not sources:
        return subprocess.run([clang, *words]).returncode
    if shutil.which("f2c") is None:
        print("error: Fortran 77 is compiled by f2c, which is not here (Debian: apt-get install f2c)", file=sys.stderr)
        return 1
    folders = list(_folders(words))
    with tempfile.TemporaryDirectory(prefix="argosy-f2c-") as work:
        made = {}
        for number, source in enumerate(sources):
            place = Path(work, str(number))
            place.mkdir()
            c_file = _translate(clang, source, folders, words, place)
            if c_file is None:
                return 1
            made[str(source)] = str(c_file)
        command = [clang, *_COMPILE, *(made.get(word, word) for word in words)]
        if not any(word in _ONLY_COMPILE for word in words) or "-o" in words:
            status = subprocess.run(command).returncode
        else:  # the object is named after the source
            status = _each_apart(clang, words, made)
        if status == 0 and "-MF" in words:
            _tell_dependencies(Path(words[words.index("-MF") + 1]), made, folders)
        return status


def _each_apart(clang: str, words: Sequence[str], made: dict[str, str]) -> int:
    others = [word for word in words if word not in made]
    for source, c_file in made.items():
        target = f"{Path(source).stem}.o"
        status = subprocess.run([clang, *_COMPILE, *others, c_file, "-o", target]).returncode
        if status != 0:
            return status
    return 0


def _folders(words: Sequence[str]) -> Iterator[Path]:
    for place, word in enumerate(words):
        if word == "-I" and place + 1 < len(words):
            yield Path(words[place + 1])
        elif word.startswith("-I") and word != "-I":
            yield Path(word[2:])


def _translate(clang: str, source: Path, folders: list[Path], words: Sequence[str], work: Path) -> Path | None:
    """The C file that f2c makes in `work`; None, and said why, where it cannot."""
    text = work / f"{source.stem}.f"
    if source.suffix in _PREPROCESSED:
        macros = [word for word in words if word.startswith(("-D", "-U", "-I"))]
        command = [clang, "-E", "-P", "-traditional-cpp", "-w", *macros, "-xc", str(source), "-o", str(text)]
        if subprocess.run(command).returncode != 0:
            return None
    elif source.is_file():
        shutil.copyfile(source, text)
    else:
        print(f"error: there is no {source}", file=sys.stderr)
        return None
    include = [f"-I{folder.absolute()}" for folder in (source.parent, *folders)]
    done = subprocess.run(["f2c", "-E", "-w", *include, text.name], cwd=work, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{source}: f2c cannot make C of it\n{done.stdout}{done.stderr}", file=sys.stderr)
        return None
    return text.with_suffix(".c")


def _tell_dependencies(file: Path, made: dict[str, str], folders: list[Path]) -> None:
    """Of the C file in a folder that is gone, the dependencies are the Fortran source's and what it includes."""
    if not file.is_file():
        return
    text = file.read_text()
    for source, c_file in made.items():
        included = dict.fromkeys(_included(Path(source), folders))
        text = text.replace(c_file, " ".join([source, *map(str, included)]))
    file.write_text(text)


def _included(source: Path, folders: list[Path]) -> Iterator[Path]:
    for name in _INCLUDE.findall(source.read_text(errors="replace")):
        for folder in (source.parent, *folders):
            if (folder / name).is_file():
                yield folder / name
                yield from _included(folder / name, folders)
                break


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
