"""From votes to bounds on class probabilities that fail with a known probability."""
