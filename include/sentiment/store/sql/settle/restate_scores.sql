-- Name the run of the shown version in scores where a replaced run is named.
UPDATE sentiment.review_sentiment s SET run_id = r.run_id
FROM unsettled u JOIN sentiment.review r USING (review_id)
WHERE s.review_id = u.review_id AND s.run_id = ANY(:replaced)
