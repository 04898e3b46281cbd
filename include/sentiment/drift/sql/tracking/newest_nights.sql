-- Count each newest night's series by status, with its estimated and realised accuracy; a null source means every one.
SELECT night, source, model_id,
  count(*) FILTER (WHERE status = 'ok') AS ok,
  count(*) FILTER (WHERE status = 'watch') AS watch,
  count(*) FILTER (WHERE status = 'alarm') AS alarm,
  count(*) FILTER (WHERE status = 'acknowledged') AS acknowledged,
  count(*) FILTER (WHERE status = 'insufficient_data') AS insufficient_data,
  p.estimated_accuracy AS estimated, p.estimated_accuracy_error AS error, p.realised_accuracy AS realised
FROM drift.v_drift
LEFT JOIN drift.performance p USING (night, source, model_id)
WHERE drift_type = 'BASELINE' AND source = coalesce(:source, source)
  AND night > (SELECT max(night) FROM drift.performance) - :days
GROUP BY night, source, model_id, p.estimated_accuracy, p.estimated_accuracy_error, p.realised_accuracy
ORDER BY night DESC, source, model_id
