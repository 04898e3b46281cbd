-- Whether a published night of a source was read by a version that read values otherwise.
SELECT EXISTS (
  SELECT FROM sentiment.run
  WHERE source = :source AND night < :night AND status = 'published' AND reading_version < :alike_since)
