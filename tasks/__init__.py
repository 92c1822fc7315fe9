"""One module per task, thin: validate, call the keeper, return a small dict."""
