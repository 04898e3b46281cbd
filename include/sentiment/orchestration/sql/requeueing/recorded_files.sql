-- List a dump's files in their order, with the address under which the dump was named.
SELECT d.uri AS dump_uri, file_no, f.uri, sha256, format, compression, f.n_bytes, f.n_records
FROM sentiment.dump d JOIN sentiment.dump_file f USING (dump_id)
WHERE dump_id = :dump_id
ORDER BY file_no
