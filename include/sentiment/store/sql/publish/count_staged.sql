-- Count what is staged, and add up the reviews' keys (contract.key_checksum in Spark).
SELECT count(*) AS reviews, coalesce(sum(('x' || left(review_id, 15))::bit(60)::bigint), 0)::numeric::text AS checksum,
  count(*) FILTER (WHERE novelty <> 'new') AS seen_before, count(sentences) AS with_sentences,
  (SELECT count(*) FROM staged_quarantine) AS quarantined, (SELECT count(*) FROM staged_profile) AS profiled,
  (SELECT count(*) FROM staged_duplicate) AS duplicates, (SELECT count(*) FROM staged_unread) AS unread
FROM staged_review
