-- Delete versions of reviews that have not been shown for some days, in a range of blocks.
DELETE FROM sentiment.review_version
WHERE ctid >= cast(:first_block AS tid) AND ctid < cast(:end_block AS tid)
  AND kept_at < now() - make_interval(days => :days)
