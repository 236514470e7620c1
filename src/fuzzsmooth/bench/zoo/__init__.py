"""A zoo of clean and backdoored models, made like a grid, and detectors measured on it."""
