"""One message, run or step becomes items: parts, annotations, attachments and calls of every kind."""
