-- Nights from which on something else than the reviews is new: the model, the reference, the rules, the source profile;
-- and nights whose run replaced another.
WITH published AS (
  SELECT DISTINCT ON (r.night) r.night, r.run_id, r.model_id, r.supersedes IS NOT NULL AS is_superseding
  FROM sentiment.run r
  WHERE r.source = :source AND r.status = 'published' AND r.night <= :night
    AND r.night > CAST(:night AS date) - CAST(:days AS integer)
  ORDER BY r.night, r.published_at
), known AS (
  SELECT p.*, received.profile, judged.rules, compared.reference_id
  FROM published p
  LEFT JOIN LATERAL (
    SELECT s.detail #>> '{profile,name}' AS profile FROM sentiment.run_step s
    WHERE s.run_id = p.run_id AND s.step IN ('ingest', 'find_dump') AND s.state = 'done' ORDER BY s.token DESC LIMIT 1
  ) AS received ON true
  LEFT JOIN LATERAL (
    SELECT s.detail ->> 'rules' AS rules FROM sentiment.run_step s
    WHERE s.run_id = p.run_id AND s.step = 'validate' AND s.state = 'done' ORDER BY s.token DESC LIMIT 1
  ) AS judged ON true
  LEFT JOIN LATERAL (
    SELECT d.reference_id FROM drift.drift_metrics d JOIN sentiment.model m USING (model_id)
    WHERE m.is_current AND d.night = p.night AND d.source = :source AND d.slice_key = 'all'
      AND d.column_name = 'positive' AND d.drift_type = 'BASELINE'
    ORDER BY d.revision DESC LIMIT 1
  ) AS compared ON true
), changes AS (
  SELECT night, is_superseding, model_id, reference_id, profile,
    lag(model_id) OVER nights AS model_before, lag(reference_id) OVER nights AS reference_before,
    lag(profile) OVER nights AS profile_before,
    rules <> lag(rules) OVER nights AS has_other_rules
  FROM known WINDOW nights AS (ORDER BY night)
)
SELECT night, 'model' AS kind, model_id AS value FROM changes WHERE model_id <> model_before
UNION ALL SELECT night, 'reference', reference_id FROM changes
  WHERE reference_id <> '' AND reference_id <> coalesce(reference_before, '') AND model_before IS NOT NULL
UNION ALL SELECT night, 'profile', profile FROM changes WHERE profile <> profile_before
UNION ALL SELECT night, 'rules', '' FROM changes WHERE has_other_rules
UNION ALL SELECT night, 'superseded', '' FROM changes WHERE is_superseding
ORDER BY night, kind
