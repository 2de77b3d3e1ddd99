"""The study: which loss ranks rare positives best, by the protocol in PROTOCOL.md."""
