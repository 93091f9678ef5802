"""The node's side: its CPU, the cache of native code, precompilation and runs."""
