-- Count, for each rule, the refused records of a run that failed it and that no person asked to have removed.
SELECT rule_name, count(*) AS n
FROM (
  SELECT unnest(reasons) AS rule_name FROM sentiment.quarantine
  WHERE run_id = :run_id AND NOT :forgotten = ANY(reasons)
) AS failed
GROUP BY rule_name
ORDER BY rule_name
