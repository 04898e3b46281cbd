-- Insert the titles of films that have none yet: for a night that is not the newest of its source.
INSERT INTO sentiment.item AS i (source, item_id, item_type, item_title, run_id)
SELECT DISTINCT ON (item_id) :source, item_id, item_type, item_title, :run_id
FROM (
  SELECT item_id, item_type, item_title, min(ARRAY[file_no, record_no]) AS first_record
  FROM staged_review
  WHERE item_id IS NOT NULL AND item_title IS NOT NULL
  GROUP BY item_id, item_type, item_title
) AS named
ORDER BY item_id, first_record
ON CONFLICT (source, item_id) DO NOTHING
