"""One night, one requeue or one evaluation on this machine: what `orchestration` does, by what `embedded` starts."""
