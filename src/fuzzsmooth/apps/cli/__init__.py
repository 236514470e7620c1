"""The command line ``fuzzsmooth``; importing it loads neither torch nor any other heavy library."""
