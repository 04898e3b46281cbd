-- What the published nights of the 60 days before a night were like: their number and median duration.
SELECT count(*) AS n_nights,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM published_at - started_at)) AS took_s
FROM sentiment.run
WHERE source = :source AND status = 'published' AND night < :night AND night >= CAST(:night AS date) - 60
