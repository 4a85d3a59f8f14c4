"""What the Jupyter server is told, so that a slider's picture arrives when it is made.

A slider move is answered by several small messages on one websocket. With TCP's default (Nagle's algorithm) the
second waits until the browser has acknowledged the first, which it does 40 ms later: longer than all the rest takes.
"""

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """Jupyter's own connection of a page to its kernel, with TCP_NODELAY."""

    async def connect(self):  # type: ignore[override]  # annotated as a Future, and a coroutine in fact
        """Called when the page has opened its websocket."""
        self.websocket_handler.set_nodelay(True)
        return await super().connect()  # type: ignore[misc]
