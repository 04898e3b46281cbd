-- Reviews as revisions 0002 and later wrote them, and rows of all tables that they have; after every.sql.
INSERT INTO sentiment.review (review_id, source, item_id, text, text_hash, content_hash, first_night,
  run_id) SELECT n::text, 'old', 'f1', 'texte', 't', 'c', '2026-03-02', '20260302-00000000'
  FROM generate_series(1, 1000) n;
INSERT INTO sentiment.dump (dump_id, source, uri) VALUES ('e', 'old', 'u');
INSERT INTO sentiment.run (run_id, night, source, dump_id, model_id, status, code_version, supersedes) VALUES
  ('20260302-00000001', '2026-03-02', 'old', 'd', 'm', 'superseded', '0', NULL),
  ('20260302-00000002', '2026-03-02', 'old', 'e', 'm', 'failed', '0', '20260302-00000000');
INSERT INTO sentiment.quarantine (run_id, file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256, byte_offset)
  SELECT '20260302-00000000', 0, 1000 + n, '{text_present}', 'x', 'x', 1, 'x', n FROM generate_series(1, 1000) n;
INSERT INTO sentiment.review_version (review_id, content_hash, source, text, text_hash, run_id, sentiments)
  SELECT n::text, 'other', 'old', 'x', 'x', '20260302-00000000', '[]' FROM generate_series(1, 1000) n;
INSERT INTO sentiment.item VALUES ('old', 'f1', 'film', 'Le Lac', '20260302-00000000');
INSERT INTO sentiment.forgotten (kind, key_hash) VALUES ('review', 'x');
INSERT INTO drift.drift_metrics (night, granularity, source, model_id, slice_key, slice_value, column_name, drift_type,
  reference_id, revision, n, n_reference, status, run_id) SELECT '2026-03-02', 'day', 'old', 'm', 'item_type', s::text,
  'positive', 'BASELINE', '', 0, 10, 0, 'ok', 'r' FROM generate_series(1, 1000) s;
