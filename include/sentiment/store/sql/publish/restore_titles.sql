-- Insert the titles that reviews give to films that have none, since theirs came from the replaced night.
INSERT INTO sentiment.item (source, item_id, item_type, item_title, run_id)
SELECT DISTINCT ON (item_id) source, item_id, item_type, item_title, run_id
FROM sentiment.review r
WHERE source = :source AND item_id IS NOT NULL AND item_title IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM sentiment.item i WHERE i.source = r.source AND i.item_id = r.item_id)
ORDER BY item_id, first_night DESC, review_id
