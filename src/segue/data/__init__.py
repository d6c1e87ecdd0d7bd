"""What comes in and what is kept: reading, the journal, the lake, quality, splits and histories."""
