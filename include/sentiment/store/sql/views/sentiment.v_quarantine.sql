-- Refused records without what they hold: the payload is for those who may read authors' names.
CREATE OR REPLACE VIEW sentiment.v_quarantine AS
SELECT v.run_id, v.night, v.source, v.status, q.file_no, q.record_no, q.reasons, left(q.details, 200) AS details,
  q.raw_bytes, q.requeued_in
FROM sentiment.quarantine q JOIN sentiment.v_runs v USING (run_id);

COMMENT ON VIEW sentiment.v_quarantine IS
  'Refused records with the rules that they failed, of published and of stopped runs; without what the records hold';
COMMENT ON COLUMN sentiment.v_quarantine.run_id IS 'the run that refused it';
COMMENT ON COLUMN sentiment.v_quarantine.night IS 'the night';
COMMENT ON COLUMN sentiment.v_quarantine.source IS 'where the record comes from';
COMMENT ON COLUMN sentiment.v_quarantine.status IS 'what became of the run, as in v_runs';
COMMENT ON COLUMN sentiment.v_quarantine.file_no IS 'file of the dump, from 0';
COMMENT ON COLUMN sentiment.v_quarantine.record_no IS 'record of the file, from 1';
COMMENT ON COLUMN sentiment.v_quarantine.reasons IS 'every rule it failed';
COMMENT ON COLUMN sentiment.v_quarantine.details IS 'the rules'' messages, one a line, their first 200 characters';
COMMENT ON COLUMN sentiment.v_quarantine.raw_bytes IS 'size of the whole record in bytes';
COMMENT ON COLUMN sentiment.v_quarantine.requeued_in IS 'the run that took it later; null where none did';

GRANT SELECT ON sentiment.v_quarantine TO sentiment_writer, sentiment_reader;
