"""Files, images, random state: what knows nothing of this project but its errors."""
