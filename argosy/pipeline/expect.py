"""What a run gave, held against what a recipe's test expects; numbers within the tolerance that the test allows."""

from __future__ import annotations

import re
from pathlib import Path

from argosy.model.recipe import Recipe
from argosy.model.recipe_run import Expectation, Run, Test
from argosy.pipeline.execute import Ran

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?")
_SHOWN = 100  # characters of a text that a complaint shows


def complaints(recipe: Recipe, test: Test, ran: Ran) -> list[str]:
    """What is not as the test expects, one line each; none when the test passed."""
    found = []
    if ran.status != test.status:
        found.append(f"exit status {ran.status}, not {test.status}")
    for expectation in test.expectations:
        text = _output(expectation.output, ran)
        if text is None:
            found.append(f"it wrote no {expectation.output}")
        elif complaint := _complaint(expectation, text, recipe.folder):
            found.append(f"{expectation.output}: {complaint}")
    return list(dict.fromkeys(found))


def shown(run: Run, ran: Ran) -> list[str]:
    """The lines of the run's outputs that its recipe shows."""
    return [
        line.rstrip()
        for show in run.show
        for line in (_output(show.output, ran) or "").splitlines()
        if re.search(show.lines, line)
    ]


def _output(name: str, ran: Ran) -> str | None:
    if name == "stdout":
        return ran.output
    path = ran.folder / name
    if not path.is_file() or not path.resolve().is_relative_to(ran.folder.resolve()):
        return None
    return path.read_text(errors="replace")


def _complaint(expectation: Expectation, text: str, folder: Path) -> str:
    if expectation.contains is not None:
        return "" if expectation.contains in text else f"{_short(expectation.contains)} is missing"
    if expectation.absent is not None:
        return f"{_short(expectation.absent)} is there" if expectation.absent in text else ""
    if expectation.same_as is not None:
        return _difference(expectation, text, (folder / expectation.same_as).read_text())
    return _match(expectation, text)


def _match(expectation: Expectation, text: str) -> str:
    pattern = re.compile(expectation.matches or "")
    found = list(pattern.finditer(text))
    if not found:
        return f"nothing matches {_short(pattern.pattern)}"
    if expectation.count and len(found) != expectation.count:
        return f"{_short(pattern.pattern)} matches {len(found)} times, not {expectation.count}"
    for match in found if pattern.groups else ():
        if complaint := _number(expectation, match[1]):
            return f"{_short(match[0])}: {complaint}"
    return ""


def _number(expectation: Expectation, text: str) -> str:
    wished = (expectation.value, expectation.least, expectation.most)
    if wished == (None, None, None):
        return ""
    try:
        number = float(text)
    except ValueError:
        return f"{_short(text)} is not a number"
    # Negated comparisons, so that a NaN never passes.
    if expectation.value is not None and not _near(number, expectation.value, expectation):
        return f"{number} is not {expectation.value}"
    if expectation.least is not None and not number >= expectation.least:
        return f"{number} is less than {expectation.least}"
    if expectation.most is not None and not number <= expectation.most:
        return f"{number} is more than {expectation.most}"
    return ""


def _near(number: float, value: float, expectation: Expectation) -> bool:
    return abs(number - value) <= max(expectation.absolute, expectation.relative * abs(value))


def _difference(expectation: Expectation, text: str, wished: str) -> str:
    lines, wished_lines = _kept(expectation, text), _kept(expectation, wished)
    for position, (line, wish) in enumerate(zip(lines, wished_lines, strict=False), 1):
        if not _same(expectation, line, wish):
            return f"line {position} is {_short(line)}, not {_short(wish)} as in {expectation.same_as}"
    if len(lines) != len(wished_lines):
        return f"{len(lines)} lines, not {len(wished_lines)} as in {expectation.same_as}"
    return ""


def _kept(expectation: Expectation, text: str) -> list[str]:
    ignore = expectation.ignore
    return [line.rstrip() for line in text.splitlines() if not (ignore and re.search(ignore, line))]


def _same(expectation: Expectation, line: str, wished: str) -> bool:
    words, wished_words = line.split(), wished.split()
    return len(words) == len(wished_words) and all(
        word == wish or _same_word(expectation, word, wish) for word, wish in zip(words, wished_words, strict=True)
    )


def _same_word(expectation: Expectation, word: str, wished: str) -> bool:
    """Equal text around numbers that are near enough."""
    if _NUMBER.sub("#", word) != _NUMBER.sub("#", wished):
        return False
    pairs = zip(_NUMBER.findall(word), _NUMBER.findall(wished), strict=True)
    return all(_near(_value(number), _value(wish), expectation) for number, wish in pairs)


def _value(text: str) -> float:
    return float(re.sub("[dD]", "e", text))


def _short(text: str) -> str:
    line = repr(text)
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
