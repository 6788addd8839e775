"""Whether the portal is well: processes, queues, sources, versions, and the checks made of them."""
