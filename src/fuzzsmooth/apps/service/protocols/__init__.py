"""Protocols that the service speaks, one a file; registered as attacks and defenses are."""
