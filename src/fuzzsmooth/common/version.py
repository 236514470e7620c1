"""The version, recorded with every result."""

VERSION = "0.2.0"
