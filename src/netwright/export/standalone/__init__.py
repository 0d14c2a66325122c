"""Scripts that are copied into the folder of an exported network: they work there without Netwright."""
