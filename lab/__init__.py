"""Throwaway hosts with a real systemd and a real sshd, to try the deploy and to test it.

Plain standard library; imports nothing of the product. See docs/lab.md.
"""
