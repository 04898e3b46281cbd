"""Something to look at on the first day: 120 nights of made-up reviews in a home and a database of their own."""
