"""The engine: asks a classifier about randomized texts, and bounds what it answers. Knows no defense."""
