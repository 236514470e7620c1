"""From bounds on class probabilities, or answers to all deletions, to radii: one theorem a file."""
