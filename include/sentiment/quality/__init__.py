"""What may pass: one rule table, quarantine, expectations and their Data Docs."""
