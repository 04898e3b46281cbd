-- Delete the sentences of shown reviews that the staged rules split or score otherwise, unless scored later.
DELETE FROM sentiment.sentence_sentiment t USING staged_review s JOIN sentiment.review r USING (review_id, content_hash)
WHERE s.sentences IS NOT NULL AND t.review_id = s.review_id AND t.model_id = :model_id
  AND NOT EXISTS (
    SELECT 1 FROM sentiment.review_sentiment t
    WHERE t.review_id = s.review_id AND t.model_id = :model_id AND t.text_hash = s.text_hash
      AND t.scored_at > s.scored_at)
  AND NOT EXISTS (
    SELECT 1 FROM staged_review x
    CROSS JOIN LATERAL jsonb_to_recordset(x.sentences::jsonb)
      AS e(sentence_no smallint, begin_char int, end_char int, label text, score double precision)
    WHERE x.review_id = t.review_id
      AND (e.sentence_no, e.begin_char, e.end_char, e.label, e.score)
        = (t.sentence_no, t.begin_char, t.end_char, t.label, t.score))
