-- Record one file of a dump; the same file again changes nothing.
INSERT INTO sentiment.dump_file (dump_id, file_no, uri, sha256, format, compression, n_bytes, n_records)
VALUES (:dump_id, :file_no, :uri, :sha256, :format, :compression, :n_bytes, :n_records)
ON CONFLICT DO NOTHING
