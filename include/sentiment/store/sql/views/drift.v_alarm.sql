-- Alarms that stand, with their sentences; open ones have no closing night.
CREATE OR REPLACE VIEW drift.v_alarm AS
SELECT a.alarm_id, a.source, a.model_id, a.slice_key, a.slice_value, a.column_name, a.reference_id,
  CASE WHEN a.closed IS NOT NULL THEN 'closed' WHEN k.reason IS NOT NULL THEN 'acknowledged' ELSE 'alarm' END AS status,
  a.channel, a.began, a.opened, a.last_night, a.closed, a.n_nights, a.effect, a.sentence, k.reason, k.acknowledged_by,
  a.facts
FROM drift.alarm a LEFT JOIN LATERAL (
  SELECT reason, acknowledged_by FROM drift.acknowledgement k
  WHERE k.source = a.source AND k.model_id = a.model_id AND k.slice_key = a.slice_key
    AND k.slice_value = a.slice_value AND k.column_name = a.column_name
    AND k.night BETWEEN a.opened AND a.last_night ORDER BY k.night LIMIT 1) k ON true
WHERE a.withdrawn_at IS NULL;

COMMENT ON VIEW drift.v_alarm IS
  'Alarms that stand, with their sentences; open ones have no closing night';
COMMENT ON COLUMN drift.v_alarm.alarm_id IS 'the alarm';
COMMENT ON COLUMN drift.v_alarm.source IS 'where the reviews come from';
COMMENT ON COLUMN drift.v_alarm.model_id IS 'the model';
COMMENT ON COLUMN drift.v_alarm.slice_key IS 'what the slice is cut by';
COMMENT ON COLUMN drift.v_alarm.slice_value IS 'which slice';
COMMENT ON COLUMN drift.v_alarm.column_name IS 'the watched column';
COMMENT ON COLUMN drift.v_alarm.reference_id IS 'the reference it was told against';
COMMENT ON COLUMN drift.v_alarm.status IS 'alarm, acknowledged or closed';
COMMENT ON COLUMN drift.v_alarm.channel IS 'shewhart: one night broke; cusum: it crept';
COMMENT ON COLUMN drift.v_alarm.began IS 'the night the change most likely began';
COMMENT ON COLUMN drift.v_alarm.opened IS 'the night that opened it';
COMMENT ON COLUMN drift.v_alarm.last_night IS 'the last night it was followed';
COMMENT ON COLUMN drift.v_alarm.closed IS 'the night that closed it';
COMMENT ON COLUMN drift.v_alarm.n_nights IS 'judged nights it was followed';
COMMENT ON COLUMN drift.v_alarm.effect IS 'mean difference since it began, in the column''s unit';
COMMENT ON COLUMN drift.v_alarm.sentence IS 'what happened, for a person';
COMMENT ON COLUMN drift.v_alarm.reason IS 'why it was acknowledged';
COMMENT ON COLUMN drift.v_alarm.acknowledged_by IS 'who acknowledged it';
COMMENT ON COLUMN drift.v_alarm.facts IS 'what the sentence is made of; null in alarms that earlier versions followed last';

GRANT SELECT ON drift.v_alarm TO sentiment_writer, sentiment_reader;
