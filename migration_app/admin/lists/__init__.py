"""What all lists have besides their rows: headings that sort, filters with chips and names, downloads."""
