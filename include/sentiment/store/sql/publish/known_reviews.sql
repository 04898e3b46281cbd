-- Return what distinguishes reviews of a source beside their identity, as they are shown.
SELECT review_id, text_hash AS known_text, author AS known_author, coalesce(item_id, item_title) AS known_item
FROM sentiment.review WHERE source = :source
