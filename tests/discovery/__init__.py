"""Finding phones: what each source makes of packets, what phones are told, and a network of namespaces with real programs in it."""
