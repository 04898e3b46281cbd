-- The newest night of a source that failed before its run was opened, if no run of that night or a later one is there.
SELECT u.night, u.failed_at, u.error, u.try_next, u.dump_uri, u.airflow_run_id
FROM sentiment.v_unopened_runs u
WHERE u.source = :source AND u.night <= :night
  AND NOT EXISTS (SELECT FROM sentiment.run r WHERE r.source = u.source AND r.night >= u.night)
ORDER BY u.night DESC, u.failed_at DESC LIMIT 1
