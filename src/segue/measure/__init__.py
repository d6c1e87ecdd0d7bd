"""Whether it is any good: ranking metrics with intervals, and experiments judged from the log. Imports no ranker."""
