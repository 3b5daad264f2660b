"""Settings of hosts with Redis."""

ssh_port = 2222
base_journal_limit = "2G"
