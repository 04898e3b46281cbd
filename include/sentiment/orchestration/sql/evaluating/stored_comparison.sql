-- List the stored paired comparisons among the given evaluations.
SELECT f.model_id AS first, s.model_id AS second, c.*
FROM sentiment.evaluation_comparison c
JOIN sentiment.evaluation f ON f.evaluation_id = c.first_id
JOIN sentiment.evaluation s ON s.evaluation_id = c.second_id
WHERE c.first_id = ANY(:ids) AND c.second_id = ANY(:ids)
