"""From text cells to typed columns, with a reason for each row that cannot be taken."""
