"""One command a file; each imports the library inside its function, so that ``--help`` answers at once."""
