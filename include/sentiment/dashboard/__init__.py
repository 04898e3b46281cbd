"""The pages about nights inside Airflow's UI: what they query, how they are drawn, who may see them."""
