"""From files to rows: the fast path, the slow path, and the values they share."""
