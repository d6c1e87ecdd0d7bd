"""What each person did, for serving."""
