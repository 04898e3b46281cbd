-- Read the alarms that were open after the night before a night.
SELECT slice_key, slice_value, column_name, side, channel, began, opened
FROM drift.alarm
WHERE source = :source AND model_id = :model_id AND reference_id = :reference_id AND withdrawn_at IS NULL
  AND opened < :night AND (closed IS NULL OR closed >= :night)
