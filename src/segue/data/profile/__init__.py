"""What the tables hold, as aggregates: columns, long tail, activity, growth, seasons, drift, joins and coverage."""
