"""Parts that attacks are made of; each is imported by the attacks that need it, when they plant."""
