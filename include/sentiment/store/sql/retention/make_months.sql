-- Make the partitions of night_review for this month and the next ones.
SELECT sentiment.ensure_month((current_date + make_interval(months => n))::date)
FROM generate_series(0, :n_ahead) AS n
