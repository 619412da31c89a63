"""Whether two things are the same: canonical forms, a conversation against its plan, texts word by word."""
