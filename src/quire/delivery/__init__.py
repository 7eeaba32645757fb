"""What a voice is handed over with."""
