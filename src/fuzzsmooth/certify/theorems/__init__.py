"""From probabilities, or the answers to all deletions, to radii: one theorem a file. Knows no votes."""
