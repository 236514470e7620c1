"""The version, recorded with every result."""

VERSION = "0.1.0"
