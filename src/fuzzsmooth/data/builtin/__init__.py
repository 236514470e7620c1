"""The built-in corpus: reviews written by a seeded grammar."""
