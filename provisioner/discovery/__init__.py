"""Finds phones in the network, in a process of its own: the only part of the server with raw sockets, and the only one that imports scapy.

Each way of finding is one file with one class (``source.py`` says what it has to have): ``pnp``, ``dhcp``, ``arp``, ``mdns``, ``lldp``.
They hear, and give back observations; ``listening`` runs them, ``keeping`` writes what they saw. ``scanner`` looks at a network on request.
Nothing here decides what a phone gets: an address with a token is given only where serving would give the file (``addresses``).
"""
