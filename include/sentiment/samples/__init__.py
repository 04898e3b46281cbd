"""Made-up dumps of French film reviews, for first nights, tests and measurements."""
