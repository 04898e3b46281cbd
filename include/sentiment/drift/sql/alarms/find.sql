-- Read one standing alarm.
SELECT source, model_id, slice_key, slice_value, column_name, last_night, closed
FROM drift.alarm
WHERE alarm_id = :alarm_id AND withdrawn_at IS NULL
