"""Faces in video: frames of files and folders, faces found and aligned, and how they move; needs the extra [video]."""

from voxfield.video.face import FACE_PX, Box, FaceFinder, Place, boxed, parse_box, whole_frame, within
from voxfield.video.flow import IMAGE_PX, FlowImages
from voxfield.video.frames import Frame, Image, Video, load_cv2, open_video

__all__ = [
    "FACE_PX",
    "IMAGE_PX",
    "Box",
    "FaceFinder",
    "FlowImages",
    "Frame",
    "Image",
    "Place",
    "Video",
    "boxed",
    "load_cv2",
    "open_video",
    "parse_box",
    "whole_frame",
    "within",
]
