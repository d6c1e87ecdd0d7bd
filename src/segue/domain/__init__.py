"""What the words mean: items, events, requests, decisions, assignment, errors and the Recommender protocol. No I/O."""
