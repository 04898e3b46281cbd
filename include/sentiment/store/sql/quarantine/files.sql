-- The files of a run's dump.
SELECT f.file_no, f.uri, f.format, f.compression
FROM sentiment.dump_file f JOIN sentiment.run r USING (dump_id)
WHERE r.run_id = :run_id
