-- Sources with a run or a night that failed before, the newest night first.
SELECT source, max(night) AS newest_night FROM (
  SELECT source, night FROM sentiment.run
  UNION ALL SELECT source, night FROM sentiment.unopened_run WHERE source IS NOT NULL AND night IS NOT NULL
) AS known
GROUP BY source ORDER BY newest_night DESC, source
