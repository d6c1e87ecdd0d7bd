"""A world of people with known tastes, so that claims can be held against the truth. It speaks records and HTTP."""
