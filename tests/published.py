"""Small recipes, built and published as `scons publish` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from artifacts import key

from argosy.build import recipes, toolchain
from argosy.build.produce import Options, produce
from argosy.model.reference import Reference
from argosy.model.wasm_signature import Encoding
from argosy.oci.open import open_registry
from argosy.oci.registry import Registry
from argosy.pipeline.publish import Published, Terms, publish
from argosy.sign.keys import PrivateKey
from argosy.sign.trust import Trust, load_trust, write_policy

RECIPE = """\
name = "{name}"
version = "1.0"
licence = "MIT"
description = "About {name}"
mpi = {mpi}
requires = [{requires}]
[[source]]
folder = "src"
[build]
kind = "sources"
sources = ["*.c"]
{build}
[[{kind}]]
name = "{name}"
"""


@dataclass(frozen=True, kw_only=True)
class Yard:
    """A folder with `recipes/` and, once built, `build/`."""

    folder: Path
    key: PrivateKey

    def recipe(
        self,
        name: str,
        code: str,
        *,
        kind: str = "program",
        mpi: bool = False,
        requires: str = "",
        build: str = "",
        tail: str = "",
    ) -> None:
        folder = self.folder / "recipes" / name
        (folder / "src").mkdir(parents=True, exist_ok=True)
        (folder / "src" / f"{name}.c").write_text(code)
        values = {"name": name, "kind": kind, "mpi": str(mpi).lower(), "requires": requires, "build": build}
        (folder / "recipe.toml").write_text(RECIPE.format(**values) + tail)

    def build(self, name: str, **options: object) -> Path:
        """The finished folder of a recipe, built after what it requires."""
        known = recipes.load_all(self.folder / "recipes")
        compiler = toolchain.find("packages")
        for recipe in recipes.order(known, [name]):
            required = [other.name for other in reversed(recipes.order(known, recipe.requires))]
            produce(
                recipe,
                self.folder / "build" / recipe.name,
                toolchain=compiler,
                dependencies={each: self.folder / "build" / each for each in required},
                options=Options(jobs=2, **options),  # type: ignore[arg-type]
            )
        return self.folder / "build" / name

    def publish(self, name: str, reference: str, *, embed: Encoding | None = None) -> Published:
        built = self.folder / "build" / name
        return publish(
            built / f"{name}.wasm",
            Reference.parse(reference),
            self.key,
            Terms(recipe=recipes.load(self.folder / "recipes" / name), embed=embed),
            lock=built / "lock.json",
        )

    def trust(self) -> Trust:
        policy = self.folder / "trust" / "policy.toml"
        if not policy.exists():
            write_policy(policy, keys={"mate": self.key.public}, repositories=["**"])
        return load_trust(policy)


def yard(folder: Path) -> Yard:
    """Recipes: `ranks` uses MPI and requires `twice`, a library; `alone` has to do with neither."""
    made = Yard(folder=folder, key=key(folder, "mate"))
    made.recipe("twice", "int twice(int x) { return 2 * x; }\n", kind="library")
    made.recipe(
        "ranks",
        "#include <mpi.h>\nint twice(int);\nint main(void) { MPI_Init(0, 0); return twice(MPI_Finalize()); }\n",
        mpi=True,
        requires='"twice"',
        build='link = ["-ltwice"]',
    )
    made.recipe("alone", "int main(void) { return ANSWER - 42; }\n", build='defines = ["ANSWER=42"]')
    return made


def opened(reference: str) -> tuple[Reference, Registry]:
    parsed = Reference.parse(reference)
    return parsed, open_registry(parsed)
