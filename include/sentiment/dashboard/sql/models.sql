-- Every model that is not retired, the current one first.
SELECT model_id, name, engine, labels, positive_label, is_current, registered_at, parent_model_id, parent_agreement
FROM sentiment.model WHERE retired_at IS NULL ORDER BY is_current DESC, model_id
