"""Pages of assistants and prompts."""
