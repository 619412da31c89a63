"""An assistant becomes a prompt's spec: which settings carry over, which models take them, and how versions differ."""
