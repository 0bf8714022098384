"""What a researcher would add, outside the package: each is brought in by ``custom_imports`` alone."""
