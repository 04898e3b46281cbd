-- Keep the versions that are shown now and will not be, with their scores and sentences.
INSERT INTO sentiment.review_version (
  review_id, source, item_id, item_type, item_title, author, rating, review_date, title, text, polarity, text_hash,
  content_hash, run_id, sentiments)
SELECT r.review_id, r.source, r.item_id, r.item_type, r.item_title, r.author, r.rating, r.review_date, r.title, r.text,
  r.polarity, r.text_hash, r.content_hash, r.run_id,
  coalesce((
    SELECT jsonb_agg(to_jsonb(s) || jsonb_build_object('sentences', (
      SELECT jsonb_agg(to_jsonb(e)) FROM (
        SELECT sentence_no, begin_char, end_char, label, score FROM sentiment.sentence_sentiment n
        WHERE n.review_id = s.review_id AND n.model_id = s.model_id) AS e)))
    FROM sentiment.review_sentiment s
    WHERE s.review_id = r.review_id AND s.text_hash = r.text_hash), '[]')
FROM sentiment.review r JOIN chosen_version w USING (review_id)
ON CONFLICT (review_id, content_hash) DO UPDATE SET sentiments = excluded.sentiments, run_id = excluded.run_id
