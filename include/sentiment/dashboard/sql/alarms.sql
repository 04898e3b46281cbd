-- Alarms of a source that are not closed: the positive share of the whole night first, then whole nights, the newest first.
SELECT alarm_id, model_id, slice_key, slice_value, column_name, status, channel, began, opened, last_night, effect, sentence,
  reason, acknowledged_by, CAST(facts AS text) AS facts
FROM drift.v_alarm
WHERE source = :source AND closed IS NULL AND opened <= :night
ORDER BY status = 'alarm' DESC, slice_key = 'all' DESC, column_name = 'positive' DESC, opened DESC, alarm_id
