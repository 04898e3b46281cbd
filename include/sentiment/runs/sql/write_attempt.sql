-- Write how far an attempt is, or how it ended; an attempt that has ended is not written again.
UPDATE sentiment.run_step SET
  state = :state,
  heartbeat_at = now(),
  rows_done = :rows_done,
  rows_total = :rows_total,
  detail = cast(:detail AS jsonb),
  error_kind = :error_kind,
  error = :error,
  try_next = :try_next,
  finished_at = CASE WHEN :state = 'running' THEN NULL ELSE now() END
WHERE run_id = :run_id AND step = :step AND token = :token AND state = 'running'
