"""The player of a report: one sound at a time, all in step, with a switch between them that keeps the position.

The page decodes every excerpt, plays all of them together and lets one through, so a switch is exact to the sample and
levels can be matched. Where scripts do not run or sound cannot be decoded, the browser's own players stay.
"""

import io
from collections.abc import Sequence
from html import escape

import numpy as np
import soundfile as sf

from voxfield.audio import resample
from voxfield.protocols import Array
from voxfield.samples import Downmix
from voxfield.tasks.report.plots import signed
from voxfield.webpage import data_url

_MP3_HZ = (8000, 16000, 32000, 44100, 48000)  # what every browser plays; higher rates are brought down


def sound(samples: Array, rate_hz: int, name: str) -> str:
    """The browser's own player of (C, N) samples, compressed; at most two channels and 48 kHz."""
    stereo = samples if samples.shape[0] <= 2 else Downmix().feed(samples)[None]
    played_hz = next((rate for rate in _MP3_HZ if rate >= rate_hz), _MP3_HZ[-1])
    played = resample(stereo, rate_hz, played_hz)
    played = played if played.shape[1] else np.zeros((stereo.shape[0], 1), np.float32)  # a single sample at 192 kHz
    file = io.BytesIO()
    sf.write(file, played.T, played_hz, format="MP3")
    return f'<audio controls aria-label="{escape(name)}" src="{data_url("audio/mpeg", file.getvalue())}"></audio>'


def controls(names: Sequence[str], gains_db: Sequence[float], played_s: float, duration_s: float) -> str:
    """The bar with which every sound of the page is played.

    Args:
        names: of the sounds, in the order in which they stand on the page.
        gains_db: what brings each to the level of the others.
        played_s, duration_s: how long the sounds and the plots are.
    """
    choices = "".join(
        f'<label><input type="radio" name="track" data-gain-db="{gain_db:.2f}"{" checked" if not number else ""}>'
        f"<span><kbd>{letter(number)}</kbd> {escape(name)}</span></label>"
        for number, (name, gain_db) in enumerate(zip(names, gains_db, strict=True))
    )
    gains = ", ".join(f"{letter(number)} {_gain(gain_db)}" for number, gain_db in enumerate(gains_db))
    several = len(names) > 1
    keys = " ".join(f"<kbd>{letter(number)}</kbd>" for number in range(len(names))) + " switch," if several else ""
    part = "" if played_s >= duration_s else f" The first {played_s:.0f} seconds can be played."
    return f"""<section id="player" aria-label="Player" hidden
 data-played-s="{played_s:.4f}" data-duration-s="{duration_s:.4f}">
<div class="row"><button id="play" type="button">Play</button>
<input id="seek" type="range" min="0" max="{played_s:.2f}" step="0.01" value="0" aria-label="Position in seconds">
<span id="clock" class="soft">0.0 / {played_s:.1f} s</span></div>
<div class="row"{"" if several else " hidden"}>
<div id="tracks" role="radiogroup" aria-label="Sound that is played">{choices}</div>
<label><input id="match" type="checkbox"> Match loudness <span class="soft">({gains})</span></label></div>
<small><kbd>Space</kbd> plays and pauses, {keys}
<kbd>←</kbd> <kbd>→</kbd> move by 2 seconds.{part}</small>
<span id="status" role="status"></span></section>"""


def _gain(gain_db: float) -> str:
    return signed(f"{gain_db:+.1f} dB") if abs(gain_db) >= 0.05 else "0 dB"


def letter(number: int) -> str:
    """The key of a sound: A, B, C ..."""
    return chr(ord("A") + number % 26)


STYLE = """
#player{position:sticky;top:0;z-index:1;background:var(--panel);border:1px solid var(--line);border-radius:8px;
padding:.7rem 1rem;margin:1rem 0}
#player[hidden],.row[hidden]{display:none}
.row{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 1rem;margin-bottom:.5rem}
#play{font:inherit;min-width:5.5rem;padding:.3rem 1rem;color:var(--paper);background:var(--accent);border:0;
border-radius:6px;cursor:pointer}
#seek{flex:1;min-width:8rem;accent-color:var(--accent)}#clock{font-variant-numeric:tabular-nums;white-space:nowrap}
#tracks{display:flex;flex-wrap:wrap;border:1px solid var(--line);border-radius:6px;overflow:hidden}
#tracks label{cursor:pointer}#tracks input{position:absolute;opacity:0}
#tracks span{display:block;padding:.3rem .9rem}#tracks input:checked+span{color:var(--paper);background:var(--accent)}
#tracks input:focus-visible+span{outline:2px solid var(--ink);outline-offset:-3px}
#match{accent-color:var(--accent)}
kbd{font:600 .85em ui-monospace,monospace;border:1px solid;border-radius:4px;padding:0 .35em;opacity:.8}
#status{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
figure{margin:1.5rem 0}figcaption{margin-bottom:.4rem;font-weight:600}audio{width:100%}
figure.on figcaption{color:var(--accent)}.ready .area{cursor:pointer}
@media(max-width:520px){#player{margin:1rem -.5rem;padding:.6rem .7rem}#player small{display:none}
.row{gap:.4rem .7rem}.row:first-child{flex-wrap:nowrap}#play{min-width:4.6rem;padding:.3rem .6rem}#seek{min-width:4rem}}
"""

SCRIPT = """
"use strict";
const at = id => document.getElementById(id), all = names => [...document.querySelectorAll(names)];
const panel = at("player"), play = at("play"), seek = at("seek"), clock = at("clock"), match = at("match");
const sounds = all("audio"), choices = all("[name=track]"), figures = all("figure.track"), heads = all(".playhead");
const played = Number(panel.dataset.playedS), duration = Number(panel.dataset.durationS);
let context, buffers, gains, sources = [], position = 0, began = 0, current = 0;

const bytes = address => Uint8Array.from(atob(address.split(",")[1]), sign => sign.charCodeAt(0)).buffer;
const now = () => sources.length ? Math.min(played, context.currentTime - began) : position;

async function prepare() {
  if (navigator.audioSession) navigator.audioSession.type = "playback";  // iPhones: not silenced by the switch
  context = new AudioContext();
  buffers = await Promise.all(sounds.map(sound => context.decodeAudioData(bytes(sound.src))));
  gains = buffers.map(() => context.createGain());
  for (const gain of gains) { gain.gain.value = 0; gain.connect(context.destination); }
  mix();
}
function mix() {  // one sound is let through; a fade of some milliseconds keeps the switch from clicking
  choices.forEach((choice, number) => {
    const level = match.checked ? 10 ** (Number(choice.dataset.gainDb) / 20) : 1;
    if (gains) gains[number].gain.setTargetAtTime(number === current ? level : 0, context.currentTime, 0.004);
    figures[number].classList.toggle("on", number === current);
  });
}
function start() {
  if (position >= played) position = 0;
  began = context.currentTime - position;
  sources = buffers.map((buffer, number) => {
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(gains[number]);
    source.start(0, position);
    return source;
  });
  play.textContent = "Pause";
  show();
}
function stop() {
  position = now();
  for (const source of sources) { source.stop(); source.disconnect(); }
  sources = [];
  play.textContent = "Play";
}
function show() {
  const time = now();
  if (sources.length && time >= played) stop();
  seek.value = time;
  seek.setAttribute("aria-valuetext", `${time.toFixed(1)} of ${played.toFixed(1)} seconds`);
  clock.textContent = `${time.toFixed(1)} / ${played.toFixed(1)} s`;
  for (const head of heads) {
    head.setAttribute("visibility", "visible");
    for (const end of ["x1", "x2"]) head.setAttribute(end, `${100 * time / duration}%`);
  }
  if (sources.length) requestAnimationFrame(show);
}
async function toggle() {
  if (sources.length) { stop(); return; }
  play.disabled = true;
  try {
    if (!buffers) await prepare();
    await context.resume();
    start();
  } catch (error) { fallBack(); }
  play.disabled = false;
}
function move(time) {
  const going = sources.length > 0;
  if (going) stop();
  position = Math.min(Math.max(time, 0), played);
  if (going) start(); else show();
}
function choose(number) {
  current = number;
  choices[number].checked = true;
  at("status").textContent = choices[number].parentElement.textContent;
  mix();
}
function fallBack() {
  panel.hidden = true;
  document.body.classList.remove("ready");
  for (const sound of sounds) {
    sound.hidden = false;
    sound.onplay = () => { for (const other of sounds) if (other !== sound) other.pause(); };
  }
}

panel.hidden = false;
document.body.classList.add("ready");
for (const sound of sounds) sound.hidden = true;
play.onclick = toggle;
seek.oninput = () => move(Number(seek.value));
match.onchange = mix;
choices.forEach((choice, number) => { choice.onchange = () => choose(number); });
for (const area of all(".area")) area.onclick = event => {
  const box = area.getBoundingClientRect();
  move((event.clientX - box.left) / box.width * duration);
};
document.onkeydown = event => {
  if (panel.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const number = event.key.toUpperCase().charCodeAt(0) - 65, own = event.target.type;
  if (event.key === " " && !["button", "submit", "checkbox"].includes(own)) toggle();
  else if (event.key.length === 1 && number >= 0 && number < choices.length) choose(number);
  else if (event.key === "ArrowLeft" && own !== "range" && own !== "radio") move(now() - 2);
  else if (event.key === "ArrowRight" && own !== "range" && own !== "radio") move(now() + 2);
  else return;
  event.preventDefault();
};
choose(0);
"""
