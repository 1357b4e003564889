"""The tasks there are to train."""

from voxfield.train.enhance import EnhanceTask
from voxfield.train.separate import SeparateTask
from voxfield.train.task import TrainingTask

TASKS: dict[str, type[TrainingTask]] = {"enhance": EnhanceTask, "separate": SeparateTask}
