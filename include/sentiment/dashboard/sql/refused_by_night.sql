-- Records of each night that failed each rule, of published and stopped runs, over some days.
SELECT night, rule_name, sum(n_records)::bigint AS n_records
FROM sentiment.v_quarantine_reasons
WHERE source = :source AND night <= :night AND night > CAST(:night AS date) - CAST(:days AS integer)
  AND status IN ('published', 'stopped')
GROUP BY night, rule_name ORDER BY night, n_records DESC, rule_name
