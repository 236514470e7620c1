"""Detectors of backdoored models, one a file."""
