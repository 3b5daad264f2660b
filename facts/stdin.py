"""What follows a command that is given something on standard input."""

from __future__ import annotations

# A command that ends before it has read all, because it failed or needed nothing of it, closes the connection's
# channel: whether pyinfra still writes to it then is chance, and "Socket is closed" stands in place of what it said.
REST = ("; status=$?; cat > /dev/null; exit $status",)
