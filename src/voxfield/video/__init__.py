"""Faces in video: frames of files and folders, faces found and aligned, and how they move; needs the extra [video]."""

from voxfield.video.face import FACE_PX, Box, FaceFinder, Place
from voxfield.video.flow import IMAGE_PX, FlowImages
from voxfield.video.frames import Frame, Video, load_cv2, open_video

__all__ = [
    "FACE_PX",
    "IMAGE_PX",
    "Box",
    "FaceFinder",
    "FlowImages",
    "Frame",
    "Place",
    "Video",
    "load_cv2",
    "open_video",
]
