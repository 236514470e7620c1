"""The tables of a grid, from its records alone."""
