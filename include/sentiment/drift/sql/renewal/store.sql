-- Replace what a reference that records no band has frozen.
UPDATE drift.reference SET frozen = cast(:frozen AS jsonb)
WHERE reference_id = :reference_id AND frozen -> 'band' IS NULL
