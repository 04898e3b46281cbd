-- Reviews as revision 0001 wrote them; after every.sql.
INSERT INTO sentiment.review (review_id, source, item_id, text, text_hash, content_hash, first_night, last_night,
  run_id) SELECT n::text, 'old', 'f1', 'texte', 't', 'c', '2026-03-02', '2026-03-02', '20260302-00000000'
  FROM generate_series(1, 1000) n;
