"""Every verb over HTTP and WebSocket, and a page for people."""
