-- Every identity rule that a source has had, the one that holds last.
SELECT identity, version FROM sentiment.source_rule WHERE source = :source ORDER BY rule_no
