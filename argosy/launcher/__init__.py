"""The C program that a node runs, and how it is built there."""
