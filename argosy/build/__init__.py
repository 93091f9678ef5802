"""From a recipe to WebAssembly: sources, patches, toolchain, compile, inspect."""
