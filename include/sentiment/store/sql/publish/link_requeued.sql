-- Name this run in each refused record of the replaced one that it does not refuse again, be it a duplicate now.
UPDATE sentiment.quarantine q SET requeued_in = :run_id
WHERE q.run_id = ANY(:replaced) AND NOT EXISTS (
  SELECT 1 FROM sentiment.quarantine again
  WHERE again.run_id = :run_id AND again.file_no = q.file_no AND again.record_no = q.record_no)
