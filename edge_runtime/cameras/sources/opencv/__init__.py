"""Cameras and files that OpenCV opens: V4L2 devices, video files and the streams that FFmpeg reads; never a JPEG
stream, which is read without FFmpeg.
"""
