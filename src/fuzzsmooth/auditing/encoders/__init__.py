"""The audit of a pre-trained encoder, which has no classes yet: what its vocabulary does to its vectors."""
