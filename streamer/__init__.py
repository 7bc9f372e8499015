"""Real-time, zero-shot inspection of endless textured webs."""

import os

# Libraries read these once, at their import, which any module of ours may cause.
# What OpenCV would print of damaged files, we report ourselves.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "8")
# Official builds of ONNX Runtime keep a device ID in the user's cache and send usage to Microsoft
# (Privacy.md in its package). Nothing leaves this machine unless the configuration says so.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
