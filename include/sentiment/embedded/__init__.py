"""What only one machine needs: its Postgres server, secrets, Airflow home, and the doctor."""
