-- Count versions of reviews that have not been shown for some days, and their bytes.
SELECT count(*) AS n, coalesce(sum(octet_length(text)), 0) AS n_bytes
FROM sentiment.review_version
WHERE kept_at < now() - make_interval(days => :days)
