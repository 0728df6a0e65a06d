"""What the warranty floor decides, without a database: dates, standing, coverage."""
