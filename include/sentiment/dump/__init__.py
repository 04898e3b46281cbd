"""Intake of dumps: locate the files, receive their records in one pass, map their columns to the contract."""
