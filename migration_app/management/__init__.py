"""Commands for operators without a browser."""
