"""`POST /v1/explain`: a network as text or as an ONNX file; figures, words and drawings come back."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from voxfield.explain import Answer  # loaded with the first question: the service is ready sooner

SVG, HTML, TEXT, JSON = "image/svg+xml", "text/html", "text/plain", "application/json"
TYPES = {SVG: SVG, HTML: HTML, TEXT: TEXT, JSON: JSON, "*/*": JSON, "application/*": JSON}  # in Accept -> of the answer


class Question(BaseModel):
    """A network, and how to look at it."""

    model_config = ConfigDict(extra="forbid")

    what: str = Field(
        description="Layers (10/5 8/4), a line of Keras or torch, or a model's name.", examples=["10/5 8/4 4/2 4/2 4/2"]
    )
    rate_hz: float | None = Field(None, description="Positions of the time axis a second.", examples=[16000])
    input_shape: list[int | None] | None = Field(None, description="Sizes of the input, such as [1, 16000].")
    layout: str | None = Field(None, description="One letter per dim of the input, such as BCTF.")
    hop_samples: int | None = Field(None, description="Samples between frames, for a network on frames.")
    window_samples: int | None = Field(None, description="Samples in a frame.")
    edits: list[str] = Field([], description="Changes to weigh, such as layer2.stride=2.", max_length=16)
    language: Literal["en", "zh"] = "en"
    drawings: bool = Field(False, description="Add drawings of the receptive field and the costs, as SVG text.")


def answered(question: Question, what: str | bytes) -> "Answer":
    """The answer; text is never taken for the name of a file.

    Raises:
        ExplainError: it cannot be read.
    """
    from voxfield.explain import report_on

    return report_on(
        what,
        rate_hz=question.rate_hz,
        input_shape=None if question.input_shape is None else tuple(question.input_shape),
        layout=question.layout,
        hop_samples=question.hop_samples,
        window_samples=question.window_samples,
        edits=question.edits,
        language=question.language,
        files=False,
    )


def rendered(answer: "Answer", question: Question, kind: str) -> str | dict[str, Any]:
    """The answer as one of the types that it can be had in."""
    from voxfield.explain.render import cone, costs, page, report_text

    language, frames = question.language, answer.frames
    if kind == SVG:
        return cone(answer.report, answer.graph, language=language, frames=frames)
    if kind == HTML:
        return page(answer.report, answer.graph, answer.paragraphs, answer.changes, language=language, frames=frames)
    if kind == TEXT:
        return report_text(answer.report, answer.graph, answer.paragraphs, language=language, frames=frames)
    found = answer.to_dict()
    if question.drawings:
        found["drawings"] = {
            "field": cone(answer.report, answer.graph, language=language, frames=frames),
            "costs": costs(answer.report, answer.graph, language=language),
        }
    return found
