"""Make the bundled model `cinema-fr` from labelled reviews: see README.md beside this file."""
