"""A network camera on loopback that emulated devices and the bench read: numbered JPEG images as MJPEG over HTTP."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator

import cv2

from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image

FPS = 15


@contextlib.contextmanager
def stream(width: int = 320, height: int = 240, fps: float = FPS) -> Iterator[str]:
    """The camera's address; it sends ``fps`` images per second to whoever connects, and keeps that pace."""
    background = draw_wave_image(height, width)
    pictures = [cv2.imencode(".jpg", draw_numbered_image(background, number))[1].tobytes() for number in range(64)]
    stopping = threading.Event()

    class Camera(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Silent."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            started_s, number = time.monotonic(), 0
            with contextlib.suppress(OSError):
                while not stopping.wait(max(0.0, started_s + number / fps - time.monotonic())):
                    picture = pictures[number % len(pictures)]
                    number += 1
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                    self.wfile.write(head.encode() + picture + b"\r\n")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/stream.mjpg"
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
