-- List stored evaluations in the order of the given ids.
SELECT model_id, set_name, n, accuracy, accuracy_low, accuracy_high, macro_f1_score
FROM sentiment.evaluation
WHERE evaluation_id = ANY(:ids)
ORDER BY array_position(:ids, evaluation_id)
