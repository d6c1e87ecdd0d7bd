"""From files to rows of text cells, with the place of each."""
