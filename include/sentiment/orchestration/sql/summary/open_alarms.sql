-- Sentences of up to three alarms that are open on a night, those of the whole night first.
SELECT sentence FROM drift.v_alarm
WHERE source = :source AND model_id = :model_id AND status = 'alarm' AND last_night = :night
ORDER BY slice_key <> 'all', column_name, slice_value
LIMIT 3
