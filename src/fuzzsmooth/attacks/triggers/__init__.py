"""Backdoor triggers, one kind a file."""
