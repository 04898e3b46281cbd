-- Of a run: rule -> values that it could not read and records that it refused, and known reviews that were read anew.
SELECT
  (SELECT detail->'unread' FROM sentiment.run_step
    WHERE run_id = :run_id AND step = 'validate' AND detail ? 'reasons' ORDER BY token DESC LIMIT 1) AS unread,
  (SELECT detail->'reasons' FROM sentiment.run_step
    WHERE run_id = :run_id AND step = 'validate' AND detail ? 'reasons' ORDER BY token DESC LIMIT 1) AS reasons,
  (SELECT detail->'n_numbered' FROM sentiment.run_step
    WHERE run_id = :run_id AND step = 'validate' AND detail ? 'reasons' ORDER BY token DESC LIMIT 1) AS n_numbered,
  (SELECT detail->'n_unnamed' FROM sentiment.run_step
    WHERE run_id = :run_id AND step = 'validate' AND detail ? 'reasons' ORDER BY token DESC LIMIT 1) AS n_unnamed,
  (SELECT detail->'n_read_anew' FROM sentiment.run_step
    WHERE run_id = :run_id AND step = 'score' AND state = 'done' ORDER BY token DESC LIMIT 1) AS n_read_anew
