"""What all pages are made of: lists, columns, filters, confirm pages, paging, rendering of content."""
