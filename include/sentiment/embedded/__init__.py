"""What one machine needs: Postgres, Java, jars, sample dumps, Airflow's home."""
