"""Keys, signatures, and the policy that says which are trusted."""
