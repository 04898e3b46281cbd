-- Rows that every revision takes as they are.
INSERT INTO sentiment.dump (dump_id, source, uri) VALUES ('d', 'old', 'u');
INSERT INTO sentiment.model (model_id, name, language, engine, fingerprint, labels, source_uri, spark_nlp_version,
  is_current) VALUES ('m', 'm', 'fr', 'onnx', 'f', '{neg,pos}', 'u', '6', true);
INSERT INTO sentiment.run (run_id, night, source, dump_id, model_id, status, code_version, rows_published)
  VALUES ('20260302-00000000', '2026-03-02', 'old', 'd', 'm', 'published', '0', 2);
SELECT sentiment.ensure_month('2026-03-02'), sentiment.ensure_month('2026-04-02');
INSERT INTO sentiment.night_review (night, source, file_no, record_no, review_id, content_hash, novelty, run_id)
  SELECT '2026-03-02', 'old', 0, n, n::text, 'c', 'new', '20260302-00000000' FROM generate_series(1, 1000) n;
INSERT INTO sentiment.review_sentiment (review_id, model_id, label, score, p_positive, probabilities, n_wordpieces,
  n_chunks, text_hash, run_id) SELECT n::text, 'm', 'pos', 0.9, 0.9, '{}', 3, 1, 't', '20260302-00000000'
  FROM generate_series(1, 1000) n;
INSERT INTO sentiment.film_night (night, source, item_id, model_id, n, n_positive, n_fresh, n_fresh_positive, run_id)
  VALUES ('2026-03-02', 'old', 'f1', 'm', 1000, 1000, 1000, 1000, '20260302-00000000');
