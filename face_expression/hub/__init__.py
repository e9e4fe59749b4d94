"""The Hugging Face Hub: the only part of the core that uses the network."""
