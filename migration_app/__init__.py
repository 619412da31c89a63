"""The console's one application: from Assistants-API threads to verified conversations."""
