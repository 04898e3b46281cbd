-- Insert an alarm, or renew it where anything about it differs; one that was withdrawn stands again.
INSERT INTO drift.alarm AS a (
  alarm_id, source, model_id, reference_id, slice_key, slice_value, column_name, side, channel, began, opened,
  last_night, closed, n_nights, effect, sentence, facts, run_id)
VALUES (
  :alarm_id, :source, :model_id, :reference_id, :slice_key, :slice_value, :column_name, :side, :channel, :began, :opened,
  :last_night, :closed, :n_nights, :effect, :sentence, CAST(:facts AS jsonb), :run_id)
ON CONFLICT (alarm_id) DO UPDATE SET
  source = excluded.source, model_id = excluded.model_id, reference_id = excluded.reference_id,
  slice_key = excluded.slice_key, slice_value = excluded.slice_value, column_name = excluded.column_name,
  side = excluded.side, channel = excluded.channel, began = excluded.began, opened = excluded.opened,
  last_night = excluded.last_night, closed = excluded.closed, n_nights = excluded.n_nights, effect = excluded.effect,
  sentence = excluded.sentence, facts = excluded.facts, run_id = excluded.run_id, withdrawn_at = NULL
WHERE a.withdrawn_at IS NOT NULL
  OR (a.source, a.model_id, a.reference_id, a.slice_key, a.slice_value, a.column_name, a.side, a.channel, a.began,
      a.opened, a.last_night, a.closed, a.n_nights, a.effect, a.sentence, a.facts)
    IS DISTINCT FROM (
      excluded.source, excluded.model_id, excluded.reference_id, excluded.slice_key, excluded.slice_value,
      excluded.column_name, excluded.side, excluded.channel, excluded.began, excluded.opened, excluded.last_night,
      excluded.closed, excluded.n_nights, excluded.effect, excluded.sentence, excluded.facts)
