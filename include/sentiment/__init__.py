"""Nightly sentiment of French film reviews: from a dump to tables that can be believed."""
