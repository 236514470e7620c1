"""Models known by name, one a file: see :mod:`fuzzsmooth.models.model`."""
