"""The ledger: dumps, runs, attempts of steps with their fencing tokens, and what each step hands to the next."""
