"""The portal's health: processes, queues, sources, versions, and the checks made from them."""
