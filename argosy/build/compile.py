"""Build one recipe: its sources become programs (`<program>.wasm`), libraries and headers in the prefix."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from argosy.build import compile_sources, compile_upstream, steps
from argosy.build.steps import CompileStep, Step
from argosy.build.workplace import Workplace
from argosy.model.recipe_build import AutotoolsBuild, CmakeBuild, MakeBuild, SourcesBuild
from argosy.progress import progress


def build(place: Workplace) -> tuple[Path, ...]:
    """Build the recipe in its workplace; gives the finished programs in the recipe's order.

    Raises ArgosyError naming the recipe and what went wrong; UsageError where the recipe is at fault.
    """
    place.log.parent.mkdir(parents=True, exist_ok=True)
    place.log.unlink(missing_ok=True)
    match place.recipe.build:
        case SourcesBuild() as build:
            for copy in compile_sources.copies(place, build):
                steps.run(copy)
            _run_all(place, compile_sources.steps(place, build))
        case MakeBuild() as build:
            compile_upstream.make(place, build)
        case AutotoolsBuild() as build:
            compile_upstream.autotools(place, build)
        case CmakeBuild() as build:
            compile_upstream.cmake(place, build)
    return tuple(place.program(program.name) for program in place.recipe.programs)


def _run_all(place: Workplace, plan: Sequence[Step]) -> None:
    """Compile with as many jobs as allowed, then do the rest in order. The first failure ends the build."""
    compiles = [step for step in plan if isinstance(step, CompileStep)]
    others = [step for step in plan if not isinstance(step, CompileStep)]
    with progress(f"build {place.recipe.name}", len(plan), unit="step") as advance:
        pool = ThreadPoolExecutor(place.jobs)
        try:
            for _ in pool.map(lambda step: steps.run(step, log=place.log), compiles):
                advance()
        finally:
            pool.shutdown(cancel_futures=True)
        for step in others:
            steps.run(step, log=place.log)
            advance()
