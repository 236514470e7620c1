"""Language models behind an OpenAI-compatible endpoint: black boxes that are asked for the class of a text."""
