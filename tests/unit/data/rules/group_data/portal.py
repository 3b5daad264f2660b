"""Settings of portals."""

ssh_port = 22
base_journal_limit = "1G"
postgresql_max_connections = 100
