"""Make models from the log; never touches the web or a database."""
