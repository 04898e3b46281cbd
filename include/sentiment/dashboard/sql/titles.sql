-- Titles of some films of a source.
SELECT item_id, item_title FROM sentiment.item WHERE source = :source AND item_id = ANY(:item_ids)
