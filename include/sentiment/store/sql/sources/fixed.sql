-- The identity rule of a source, what was mapped when it was fixed, and how many nights of the source are published.
SELECT s.identity, s.version, s.mapped, s.labels, s.run_id, r.night,
  (SELECT count(DISTINCT p.night) FROM sentiment.run p WHERE p.source = s.source AND p.status = 'published') AS n_nights
FROM sentiment.source_rule s JOIN sentiment.run r USING (run_id)
WHERE s.source = :source
ORDER BY s.rule_no DESC
LIMIT 1
