-- Record an acknowledgement of a series from a night on; of two on one night the later reason holds.
INSERT INTO drift.acknowledgement (
  source, model_id, slice_key, slice_value, column_name, night, reason, acknowledged_by)
VALUES (:source, :model_id, :slice_key, :slice_value, :column_name, :night, :reason, :person)
ON CONFLICT (source, model_id, slice_key, slice_value, column_name, night) DO UPDATE SET
  reason = excluded.reason, acknowledged_by = excluded.acknowledged_by, acknowledged_at = now()
