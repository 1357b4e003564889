"""Telling what comes next from what does not: the contrastive loss of wav2vec (Schneider et al., 2019).

From the context c of frame t, step i guesses frame t + offset + i; the first of these shares no sample with frame t.
The guess is compared with that frame and with others of the same recording, drawn evenly from all its frames but the
right one. Where `others` are asked for, frames of another recording stand against it as well; its voice and its room
give those away, so the network has to know them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def draw_negatives(batch: int, frames: int, count: int, device: torch.device, seed: int | None = None) -> Tensor:
    """(B, count, T) for each frame so many others of its own recording, from torch's random state if `seed` is None."""
    generator = None if seed is None else torch.Generator(device).manual_seed(seed)
    drawn = torch.randint(frames - 1, (batch, count, frames), device=device, generator=generator)
    return drawn + (drawn >= torch.arange(frames, device=device))


def draw_others(batch: int, frames: int, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Another of at least two recordings for each, (B,), and for each of its frames (B, count, T) of the other's."""
    other = (torch.arange(batch, device=device) + int(torch.randint(1, batch, ()))) % batch
    return other, torch.randint(frames, (batch, count, frames), device=device)


def contrastive_scores(
    guesses: Tensor, z: Tensor, negatives: Tensor, offset_frames: int, others: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """(M, 1 + K) inner products of each guess with the right frame, first, and with K wrong ones.

    Args:
        guesses: (B, steps, C, T) of the frames `offset_frames`, `offset_frames` + 1 ... after each frame.
        z: (B, C, T) the frames themselves.
        negatives: (B, K, T) numbers of the frames that stand against each frame.
        offset_frames: from a frame to the first that is guessed.
        others: of `draw_others`: more wrong ones, of another recording.
    """
    frames = z.shape[-1]
    right = torch.arange(frames, device=z.device).expand(len(z), 1, frames)
    choices = torch.cat([right, negatives], dim=1).transpose(1, 2)  # (B, T, 1 + K)
    scores = []
    for step in range(min(guesses.shape[1], frames - offset_frames)):
        ahead = offset_frames + step
        guess = guesses[:, step, :, : frames - ahead].transpose(1, 2)
        compared = (guess @ z).float().gather(2, choices[:, ahead:])  # (B, T - ahead, 1 + K)
        if others:
            recording, frame = others
            strange = (guess @ z[recording]).float().gather(2, frame.transpose(1, 2)[:, ahead:])
            compared = torch.cat([compared, strange], dim=2)
        scores.append(compared.flatten(0, 1))
    return torch.cat(scores)


def binary_loss(scores: Tensor) -> Tensor:
    """Cross-entropy of saying yes to the right frame and no to each wrong one, summed over them, mean over guesses."""
    labels = torch.zeros_like(scores)
    labels[:, 0] = 1
    return functional.binary_cross_entropy_with_logits(scores, labels, reduction="sum") / len(scores)


def choice_loss(scores: Tensor) -> Tensor:
    """Cross-entropy of choosing the right frame among all (InfoNCE), mean over guesses; by chance log(1 + K)."""
    return functional.cross_entropy(scores, scores.new_zeros(len(scores), dtype=torch.long))


def accuracy(scores: Tensor) -> Tensor:
    """Share of guesses that fit the right frame best; by chance 1 / (1 + K)."""
    return (scores[:, :1] > scores[:, 1:]).all(1).float().mean()
