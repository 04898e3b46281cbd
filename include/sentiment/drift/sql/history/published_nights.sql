-- List the published nights of a range, in order; a null bound leaves that side open.
-- A night whose every review was known is published without a profile, so runs are read too.
SELECT night
FROM (
  SELECT night FROM drift.profile_metrics WHERE source = :source AND model_id = :model_id
  UNION
  SELECT night FROM sentiment.run WHERE source = :source AND model_id = :model_id AND status = 'published'
) AS published
WHERE night >= coalesce(:first, '-infinity'::date) AND night <= coalesce(:last, 'infinity'::date)
ORDER BY night
