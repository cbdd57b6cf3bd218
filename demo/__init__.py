"""What `make run` and `make test` need beyond the service. No part of the service imports it.

place.py      who runs the embedded PostgreSQL, from which files, in which folder
postgres.py   starts and stops it
process.py    finds the server process of a data folder
throwaway.py  one that leaves nothing behind, for tests and checks
attached.py  a process that ends with the demonstration, however that ends
signals.py    INT, TERM and HUP end a command in order
"""
