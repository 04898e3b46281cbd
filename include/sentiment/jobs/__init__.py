"""Entries of spark-submit: read arguments, compose the components, report an outcome."""
