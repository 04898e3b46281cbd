"""spark-submit entries: read arguments, compose the rooms, stop."""
