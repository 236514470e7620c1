"""Applications built on the library: the command line."""
