-- Insert what the night lists and is not there yet: for a night that is not the newest, or published once more.
INSERT INTO sentiment.night_review (night, source, file_no, record_no, review_id, content_hash, novelty, run_id)
SELECT :night, :source, file_no, record_no, review_id, content_hash,
  CASE novelty WHEN 'read_anew' THEN 'known' ELSE novelty END, :run_id
FROM staged_review
-- In this order the primary key grows at its ends; numbers of records differ more often than those of files.
ORDER BY record_no, file_no
ON CONFLICT DO NOTHING
