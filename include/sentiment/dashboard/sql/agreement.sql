-- Of the fresh reviews of the newest night that another model has scored as well as the current one: how many both label
-- alike, and who labels them positive.
WITH pairs AS (
  SELECT DISTINCT ON (o.model_id) o.model_id, o.night, m.model_id AS current_id
  FROM sentiment.run o
  JOIN sentiment.model m ON m.is_current
  JOIN sentiment.run r ON r.source = o.source AND r.night = o.night AND r.model_id = m.model_id
    AND r.status = 'published'
  WHERE o.source = :source AND o.night <= :night AND o.status = 'published' AND o.model_id <> m.model_id
  ORDER BY o.model_id, o.night DESC
)
SELECT p.model_id, p.night, count(*) AS n_reviews, count(*) FILTER (WHERE a.label = b.label) AS n_alike,
  count(*) FILTER (WHERE a.label = ma.positive_label) AS n_positive,
  count(*) FILTER (WHERE b.label = mb.positive_label) AS n_current_positive
FROM pairs p
JOIN sentiment.model ma ON ma.model_id = p.model_id
JOIN sentiment.model mb ON mb.model_id = p.current_id
JOIN sentiment.night_review n ON n.night = p.night AND n.source = :source AND n.novelty IN ('new', 'changed')
JOIN sentiment.review_sentiment a ON a.review_id = n.review_id AND a.model_id = p.model_id
JOIN sentiment.review_sentiment b ON b.review_id = n.review_id AND b.model_id = p.current_id
GROUP BY p.model_id, p.night ORDER BY p.model_id
