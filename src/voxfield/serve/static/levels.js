/**
 * Levels of recordings, as the reports of the command line measure them: of frames of 100 ms that are not digital
 * silence, speech is the 95th percentile and pauses are the 10th.
 */
const FRAME_S = 0.1;
const QUIET_DB = -120;
const MOST_DB = 20; // of a gain that matches levels

export const decibels = (power) => Math.max(QUIET_DB, 10 * Math.log10(power + 1e-30));

/**
 * @param {Float32Array[]} channels of one length
 * @param {number} rate samples per second
 * @returns {{speechDb: number, pausesDb: number, peakDb: number}} in dBFS
 */
export function levels(channels, rate) {
  const frame = Math.round(FRAME_S * rate);
  const count = Math.max(1, Math.floor(channels[0].length / frame));
  const size = Math.min(frame, channels[0].length);
  const found = [];
  for (let number = 0; number < count; number++) {
    let energy = 0;
    for (const channel of channels) {
      for (let n = number * frame; n < number * frame + size; n++) energy += channel[n] ** 2;
    }
    const level = decibels(energy / Math.max(1, size * channels.length));
    if (level > QUIET_DB) found.push(level);
  }
  let peak = 0;
  for (const channel of channels) for (const sample of channel) peak = Math.max(peak, Math.abs(sample));
  const sorted = found.length ? found.sort((a, b) => a - b) : [QUIET_DB];
  return { speechDb: percentile(sorted, 0.95), pausesDb: percentile(sorted, 0.1), peakDb: decibels(peak ** 2) };
}

/** Gains in dB that bring the speech of all to that of the first; none lifts a peak above full scale. */
export function matchingGainsDb(all) {
  const gains = all.map((one) =>
    one.speechDb <= QUIET_DB ? 0 : Math.min(MOST_DB, Math.max(-MOST_DB, all[0].speechDb - one.speechDb)),
  );
  const above = Math.max(0, ...gains.map((gain, index) => gain + all[index].peakDb));
  return gains.map((gain) => gain - above);
}

/** What was taken from the pauses: in dB, and as the share of their power. */
export function noiseRemoved(before, after) {
  const reductionDb = Math.max(0, before.pausesDb - after.pausesDb);
  return { reductionDb, share: 1 - 10 ** (-reductionDb / 10) };
}

function percentile(sorted, share) {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
}
