-- Alarms of one series that are open or were over some days, the newest first.
SELECT alarm_id, status, channel, began, opened, last_night, closed, effect, sentence, reason, acknowledged_by,
  CAST(facts AS text) AS facts
FROM drift.v_alarm
WHERE source = :source AND model_id = :model_id AND slice_key = :slice_key AND slice_value = :slice_value
  AND column_name = :column_name AND opened <= :night AND last_night > CAST(:night AS date) - CAST(:days AS integer)
ORDER BY opened DESC
