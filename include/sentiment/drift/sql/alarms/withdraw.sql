-- Withdraw the alarms that opened in replayed nights and that the replay did not raise again.
UPDATE drift.alarm SET withdrawn_at = now()
WHERE source = :source AND model_id = :model_id AND reference_id = :reference_id
  AND opened BETWEEN :first AND :last AND withdrawn_at IS NULL AND NOT alarm_id = ANY(:standing)
