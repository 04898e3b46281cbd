"""What is watched from night to night: profile counts, comparisons, the canary."""
