"""The journal of what was just done and decided, and its way into the lake."""
