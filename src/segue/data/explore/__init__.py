"""Looking at what the lake holds: lazy tables, SQL, samples, and one person's whole story."""
