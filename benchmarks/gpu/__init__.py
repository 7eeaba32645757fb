"""What `benchmarks.gpu_check` does on a GPU, a file for each question."""
