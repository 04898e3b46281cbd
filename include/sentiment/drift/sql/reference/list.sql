-- List every reference, the newest first.
SELECT reference_id, source, model_id, first_night, last_night, cardinality(nights) AS n_nights, is_current,
  to_char(r.pinned_at, 'YYYY-MM-DD HH24:MI') AS pinned_at
FROM drift.reference r
ORDER BY r.pinned_at DESC, reference_id
