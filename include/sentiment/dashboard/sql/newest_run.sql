-- The newest run of a source's newest night up to a day.
SELECT v.run_id FROM sentiment.v_runs v
WHERE v.source = :source AND v.night <= :night
ORDER BY v.night DESC, v.status = 'published' DESC, v.started_at DESC LIMIT 1
