"""Where work runs. `engine.py` holds the protocols; every other file is one engine, of the same shape."""
