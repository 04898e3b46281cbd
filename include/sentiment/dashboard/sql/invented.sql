-- Whether the reviews of a source are made up; without a source whether those of any are.
SELECT EXISTS (
  SELECT FROM sentiment.dump WHERE uri LIKE :invented AND (CAST(:source AS text) IS NULL OR source = :source)) AS invented
