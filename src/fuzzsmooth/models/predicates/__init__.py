"""Predicates of what a language model writes, one a file: see :mod:`fuzzsmooth.models.predicate`."""
