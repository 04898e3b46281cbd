"""Data quality: the rule table, batch checks, quarantine, expectations and their Data Docs."""
