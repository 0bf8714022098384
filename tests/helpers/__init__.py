"""What tests share: builders of tiny configs and batches, trainings, processes and scripts."""
