"""Learners: programs over an engine's verbs that end in a recommender. One file for each family."""
