-- Why records of a run were refused, and values left out, the most frequent first.
SELECT kind, rule_name, n FROM (
  SELECT 'refused' AS kind, rule_name, n_records AS n FROM sentiment.v_quarantine_reasons WHERE run_id = :run_id
  UNION ALL SELECT 'unread', rule_name, n_values FROM sentiment.v_unread_values WHERE run_id = :run_id
) AS counted
ORDER BY kind, n DESC, rule_name
