"""Argosy: HPC applications built once into signed WebAssembly, run under MPI at native speed on any node."""

__version__ = "0.1.0"
