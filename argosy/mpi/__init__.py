"""The MPI standard, projected on wasm32: the database, what the guest's compiler sees, and the node's glue."""
