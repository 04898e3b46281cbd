-- The scored sentences of some reviews by the current model, as character positions in their texts.
SELECT s.review_id, s.begin_char, s.end_char, s.label, s.score, s.label = m.positive_label AS is_positive
FROM sentiment.sentence_sentiment s JOIN sentiment.model m USING (model_id)
WHERE m.is_current AND s.review_id = ANY(:review_ids)
ORDER BY s.review_id, s.sentence_no
