"""Foundations every room may use: errors, options, randomness, files. No torch."""
