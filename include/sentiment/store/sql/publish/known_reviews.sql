-- Return what distinguishes reviews of a source beside their identity, as they are shown.
SELECT review_id, text_hash AS known_text, author AS known_author,
  -- contract.OWN_ITEM: an id that was made of the title identifies no item.
  coalesce(CASE WHEN left(item_id, 6) NOT IN ('title:', 'title(') THEN item_id END, item_title) AS known_item
FROM sentiment.review WHERE source = :source
