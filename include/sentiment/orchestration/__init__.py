"""Task bodies of the DAGs, and the little that Airflow needs to know about our Spark jobs and errors."""
