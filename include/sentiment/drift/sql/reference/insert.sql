-- Insert a reference as the current one; its name is a hash of its content, so the same again changes nothing else.
INSERT INTO drift.reference (
  reference_id, source, model_id, first_night, last_night, nights, edges_id, frozen, is_current)
VALUES (
  :reference_id, :source, :model_id, :first, :last, :nights, :edges_id, cast(:frozen AS jsonb), true)
ON CONFLICT (reference_id) DO UPDATE SET is_current = true
