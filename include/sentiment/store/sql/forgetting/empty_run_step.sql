-- Empty the error of the rows that lie there, and what quotes values of what they hand on.
UPDATE sentiment.run_step SET error = CASE WHEN error IS NOT NULL THEN 'It named a forgotten review.' END,
  detail = detail - '{allowed,words}'::text[]
WHERE ctid = ANY(cast(:row_ids AS tid[]))
