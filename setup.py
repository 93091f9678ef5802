"""What pyproject.toml cannot say: the SCons tool goes where SCons looks for tools, for `tools=['argosy']`."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["argosy*"]), "SCons.Tool.argosy"],
    package_dir={"SCons.Tool.argosy": "site_scons/site_tools/argosy"},
)
