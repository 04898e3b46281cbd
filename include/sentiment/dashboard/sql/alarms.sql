-- Alarms of a source that are not closed, those of the whole night first, then the largest effect.
SELECT alarm_id, model_id, slice_key, slice_value, column_name, status, channel, began, opened, last_night, effect, sentence,
  reason, acknowledged_by
FROM drift.v_alarm
WHERE source = :source AND closed IS NULL AND opened <= :night
ORDER BY status = 'alarm' DESC, slice_key = 'all' DESC, abs(effect) DESC, alarm_id
