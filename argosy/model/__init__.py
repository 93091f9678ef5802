"""Frozen values, strictly parsed from untrusted data; no input or output happens here."""
