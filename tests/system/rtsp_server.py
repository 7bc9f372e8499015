"""An RTSP camera over a moving texture, by GStreamer; runs under the system's own Python.

    python3 rtsp_server.py PORT WEB LINES STEP

WEB is a file: a text line "columns N", then raw uint8 pixels. Shows LINES lines of it at a time,
STEP lines further in each picture, 25 pictures a second, from the start for each viewer; prints
"ready" when it listens.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

RATE = 25
PIPELINE = (
    "( appsrc name=web is-live=true format=time do-timestamp=false ! identity sync=true ! "
    "videoconvert ! video/x-raw,format=I420 ! x264enc tune=zerolatency speed-preset=ultrafast "
    "pass=quant quantizer=4 key-int-max=5 ! rtph264pay name=pay0 pt=96 )"
)


class Camera(GstRtspServer.RTSPMediaFactory):
    """Feeds each viewer's pipeline with pictures."""

    def __init__(self, pixels, columns, lines, step):
        super().__init__()
        self.pixels, self.columns, self.lines, self.step = pixels, columns, lines, step

    def do_create_element(self, url):
        return Gst.parse_launch(PIPELINE)

    def do_configure(self, media):
        source = media.get_element().get_child_by_name("web")
        size = f"width={self.columns},height={self.lines},framerate={RATE}/1"
        source.set_property("caps", Gst.Caps.from_string(f"video/x-raw,format=GRAY8,{size}"))
        state = {"number": 0}
        source.connect("need-data", lambda src, _: self.push(src, state))

    def push(self, source, state):
        first = state["number"] * self.step * self.columns
        picture = self.pixels[first : first + self.lines * self.columns]
        if len(picture) < self.lines * self.columns:
            source.emit("end-of-stream")
            return
        buffer = Gst.Buffer.new_wrapped(bytes(picture))
        buffer.pts = state["number"] * Gst.SECOND // RATE
        buffer.duration = Gst.SECOND // RATE
        state["number"] += 1
        source.emit("push-buffer", buffer)


def main():
    port, web, lines, step = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with open(web, "rb") as file:  # the system's Python may have no numpy
        columns = int(file.readline().split()[-1])
        pixels = file.read()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    server.get_mount_points().add_factory("/web", Camera(pixels, columns, lines, step))
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


main()
