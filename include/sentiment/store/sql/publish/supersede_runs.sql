-- Mark the published runs of the night as superseded: those of other dumps, and of a requeue those of the same dump.
UPDATE sentiment.run SET status = 'superseded'
WHERE night = :night AND source = :source AND status = 'published'
  AND (dump_id <> :dump_id OR :requeue_of IS NOT NULL)
RETURNING run_id
