"""Files come into the lake: in steps, once, and reported."""
