-- Find the last published night before a night; null for none.
-- A night whose every review was known is published without a profile, so runs are read too.
SELECT max(night)
FROM (
  SELECT night FROM drift.profile_metrics WHERE source = :source AND model_id = :model_id
  UNION
  SELECT night FROM sentiment.run WHERE source = :source AND model_id = :model_id AND status = 'published'
) AS published
WHERE night < :night
