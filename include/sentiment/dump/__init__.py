"""What arrives: locate a dump, receive it in one pass, map its columns to the contract."""
