"""Text preparation, model registry, the Spark NLP pipeline, reuse of scores."""
