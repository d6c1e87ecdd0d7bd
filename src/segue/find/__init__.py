"""What could be shown: candidates from the models of a release, after what may not be shown is masked."""
