-- Register a model unless its name is registered already; it does not become the current one.
INSERT INTO sentiment.model (
  model_id, name, language, engine, fingerprint, labels, positive_label, source_uri, spark_nlp_version, is_current)
VALUES (
  :model_id, :model_id, 'fr', :engine, :fingerprint, :labels, :positive_label, :source_uri, :spark_nlp_version, false)
ON CONFLICT DO NOTHING
