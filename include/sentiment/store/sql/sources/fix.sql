-- Give a source its next identity rule.
INSERT INTO sentiment.source_rule (source, rule_no, identity, version, mapped, labels, run_id)
SELECT :source, coalesce(max(rule_no), 0) + 1, :identity, :version, cast(:mapped AS jsonb),
  cast(:labels AS jsonb), :run_id
FROM sentiment.source_rule
WHERE source = :source
