-- How many nights of a source but :night are published.
SELECT count(DISTINCT night) FROM sentiment.run WHERE source = :source AND night <> :night AND status = 'published'
