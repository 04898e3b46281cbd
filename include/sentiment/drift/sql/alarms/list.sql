-- List standing alarms, the newest first; a null source means every source, a null night no bound.
SELECT alarm_id, status, opened, closed, sentence, reason
FROM drift.v_alarm
WHERE source = coalesce(:source, source) AND last_night >= coalesce(:since, '-infinity'::date)
  AND (NOT :only_open OR closed IS NULL)
ORDER BY last_night DESC, opened DESC, alarm_id
