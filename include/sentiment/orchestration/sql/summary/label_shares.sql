-- The share of each label among a run's published reviews, the most frequent label first.
SELECT s.label, count(*) / sum(count(*)) OVER () AS share
FROM sentiment.run r
JOIN sentiment.night_review n ON n.run_id = r.run_id
JOIN sentiment.review_sentiment s ON s.review_id = n.review_id AND s.model_id = r.model_id
WHERE r.run_id = :run_id
GROUP BY s.label
ORDER BY count(*) DESC, s.label
