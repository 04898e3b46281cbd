-- Scored reviews over two years for the pages to show, without any pipeline; `bench.reviews` and `bench.films` are how
-- many. Popularity falls with a film's number, as it does among films. Rows are written night by night, as nights do.
INSERT INTO sentiment.item (source, item_id, item_type, item_title, run_id)
SELECT 'bench', 'film-' || n, 'film', 'Le film numéro ' || n, 'bench'
FROM generate_series(1, current_setting('bench.films')::integer) AS n;

INSERT INTO sentiment.dump (dump_id, source, uri, n_files, n_bytes, n_records)
SELECT 'bench-' || d, 'bench', '/data/bench-' || d || '.jsonl', 1, 1, 1 FROM generate_series(0, 729) AS d;

INSERT INTO sentiment.run (run_id, night, source, dump_id, model_id, status, rows_read, rows_accepted,
  rows_quarantined, rows_duplicate, rows_scored, rows_published, code_version, published_at, finished_at)
SELECT to_char(DATE '2024-11-20' + d, 'YYYYMMDD') || '-' || lpad(to_hex(d), 8, '0'), DATE '2024-11-20' + d, 'bench',
  'bench-' || d, 'cinema-fr', 'published', 7000, 6900, 50, 50, 6900, 6900, 'bench', now(), now()
FROM generate_series(0, 729) AS d;

INSERT INTO sentiment.run_step (run_id, step, token, state, detail)
SELECT run_id, step, nextval('sentiment.fence_token'), 'done',
  '{"rules": ["text_present", "text_french"], "reasons": {"text_french": 50}, "profile": {"name": "usual"}}'
FROM sentiment.run, unnest(ARRAY['ingest', 'validate', 'score', 'audit', 'publish']) AS step;

SELECT count(sentiment.ensure_month((DATE '2024-11-01' + make_interval(months => m))::date))
FROM generate_series(0, 24) AS m;

CREATE TEMP TABLE drawn AS
SELECT n, lpad(to_hex(n), 32, '0') AS review_id, DATE '2024-11-20' + (n % 730)::integer AS night,
  'film-' || (1 + floor(current_setting('bench.films')::integer * power(random(), 3)))::integer AS item_id,
  random() AS p_positive, (1 + floor(random() * 10)) / 2 AS rating
FROM generate_series(1, current_setting('bench.reviews')::bigint) AS n
ORDER BY night;

INSERT INTO sentiment.review (review_id, source, item_id, item_type, item_title, author, rating, review_date, text,
  text_hash, content_hash, first_night, run_id)
SELECT review_id, 'bench', item_id, 'film', item_id, 'auteur ' || n % 9973, rating, night,
  'Un film qui dit ce qu''il a à dire, et dont on se souvient longtemps après. Critique numéro ' || n, review_id,
  review_id, night, 'bench'
FROM drawn;

INSERT INTO sentiment.review_sentiment (review_id, model_id, label, score, p_positive, probabilities, n_wordpieces,
  n_chunks, text_hash, run_id, scored_at)
SELECT review_id, 'cinema-fr', CASE WHEN p_positive > .5 THEN 'pos' ELSE 'neg' END,
  greatest(p_positive, 1 - p_positive), p_positive, '{}', 30, 1, review_id, 'bench', now()
FROM drawn;

INSERT INTO sentiment.night_review (night, source, file_no, record_no, review_id, content_hash, novelty, run_id)
SELECT night, 'bench', 0, n, review_id, review_id, 'new', 'bench' FROM drawn;

INSERT INTO sentiment.film_night (night, source, item_id, model_id, n, n_positive, n_uncertain, n_fresh,
  n_fresh_positive, run_id)
SELECT night, 'bench', item_id, 'cinema-fr', count(*), count(*) FILTER (WHERE p_positive > .5), 0, count(*),
  count(*) FILTER (WHERE p_positive > .5), 'bench'
FROM drawn GROUP BY night, item_id ORDER BY night;

INSERT INTO sentiment.quarantine (run_id, file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256, byte_offset)
SELECT run_id, 0, n, ARRAY['text_french'], 'text_french (text): it is not French', 'x', 1, '00', n
FROM sentiment.run, generate_series(1, 50) AS n;

INSERT INTO drift.drift_metrics (night, granularity, source, model_id, slice_key, slice_value, column_name, drift_type,
  reference_id, revision, n, n_reference, effect, z, threshold, cusum_low, cusum_high, cusum_threshold, status, run_id)
SELECT DATE '2024-11-20' + d, 'day', 'bench', 'cinema-fr', s.slice_key, s.slice_value, s.column_name, t, 'r1', 1, 6900,
  1000000, random() / 100, random() * 2 - 1, 3.5, random(), random(), 6, 'ok', 'bench'
FROM generate_series(0, 729) AS d, unnest(ARRAY['BASELINE', 'CONSECUTIVE']) AS t,
  (SELECT 'all' AS slice_key, 'all' AS slice_value, column_name FROM unnest(ARRAY['positive', 'logit', 'uncertain',
     'text_chars', 'pieces_per_word', 'unknown_share', 'not_french', 'rating_missing', 'rating', 'agreement',
     'quarantined', 'known', 'log_volume']) AS column_name
   UNION ALL SELECT 'film', 'film-' || f, 'positive' FROM generate_series(1, 21) AS f) AS s;

INSERT INTO drift.profile_metrics (night, source, model_id, slice_key, slice_value, column_name, data_type, n, n_null,
  edges_id, bin_counts, run_id)
SELECT DATE '2024-11-20' + d, 'bench', 'cinema-fr', 'all', 'all', c.name, 'numeric', 6900, 0, 'edges-2',
  array_fill(300::bigint, ARRAY[c.bins]), 'bench'
FROM generate_series(0, 729) AS d, (VALUES ('positive', 3), ('logit', 19), ('labelled_logit', 19),
  ('positive_logit', 19), ('rating', 12)) AS c(name, bins);

INSERT INTO drift.alarm (alarm_id, source, model_id, slice_key, slice_value, column_name, reference_id, side, channel,
  began, opened, last_night, n_nights, effect, sentence, run_id)
SELECT lpad(to_hex(f), 16, '0'), 'bench', 'cinema-fr', 'film', 'film-' || f, 'positive', 'r1', -1, 'cusum',
  DATE '2026-11-01', DATE '2026-11-05', DATE '2026-11-19', 14, -.05, 'Since 1 November positive reviews fell.', 'bench'
FROM generate_series(1, 20) AS f;

DROP TABLE drawn;
