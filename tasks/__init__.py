"""One module per task. A task is thin: it validates, calls the keeper and returns a small dict."""
