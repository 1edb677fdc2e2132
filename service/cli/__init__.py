"""A thin client and command line: the service in process, or one at an address."""
