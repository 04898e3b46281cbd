-- Return whether the sentences of a published night were scored.
SELECT coalesce(bool_or((s.detail ->> 'sentences')::boolean), false)
FROM sentiment.run r JOIN sentiment.run_step s USING (run_id)
WHERE r.night = :night AND r.source = :source AND r.status = 'published'
  AND s.state = 'done' AND s.detail ? 'sentences'
