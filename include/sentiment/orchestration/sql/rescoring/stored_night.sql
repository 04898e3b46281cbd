-- List a night's reviews as `accepted` had them, with their novelty, and whether each version is the one shown.
-- The text is null where the version is not kept any more.
SELECT n.file_no, n.record_no, n.review_id, n.novelty, n.content_hash, r.review_id IS NOT NULL AS is_shown,
  coalesce(r.item_id, v.item_id) AS item_id, coalesce(r.item_type, v.item_type) AS item_type,
  coalesce(r.item_title, v.item_title) AS item_title, coalesce(r.author, v.author) AS author,
  coalesce(r.rating, v.rating)::double precision AS rating, coalesce(r.review_date, v.review_date) AS review_date,
  coalesce(r.title, v.title) AS title, coalesce(r.text, v.text) AS text,
  coalesce(r.polarity, v.polarity)::int AS polarity, coalesce(r.text_hash, v.text_hash) AS text_hash
FROM sentiment.night_review n
LEFT JOIN sentiment.review r ON r.review_id = n.review_id AND r.content_hash = n.content_hash
LEFT JOIN sentiment.review_version v ON v.review_id = n.review_id AND v.content_hash = n.content_hash
WHERE n.night = :night AND n.source = :source
