"""The audit of language models that write: which answer do they fall into, and what brings it?"""
