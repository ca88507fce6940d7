"""What survives the process: facts, the journal that holds them, the state made of them."""
