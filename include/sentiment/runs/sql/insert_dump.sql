-- Record a dump; the same dump again changes nothing.
INSERT INTO sentiment.dump (dump_id, source, uri, n_files, n_bytes, n_records)
VALUES (:dump_id, :source, :uri, :n_files, :n_bytes, :n_records)
ON CONFLICT DO NOTHING
