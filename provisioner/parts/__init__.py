"""The processes of an installation: phones, tftp, admin, worker. Each builds what it needs and runs until SIGTERM or SIGINT."""
