"""Settings of all hosts of all environments. How this machine reaches them, too."""

ssh_user = "deploy"
# Host keys are known beforehand or the run stops: `ssh-keyscan HOST`, compare the fingerprint by another way, and put
# the line into the known_hosts file that is named here (the user's own, unless set).
ssh_strict_host_key_checking = "yes"
