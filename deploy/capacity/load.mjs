/** Arrivals in bursts, the same for the same seed: quiet times, bursts, and nights in which nobody comes. */

/** Numbers from 0 to 1, by mulberry32. */
export function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/**
 * A Poisson process whose rate changes at random times (Markov-modulated).
 * @param phases [{perSecond, meanS}], gone through in turn
 * @returns times in ms, ascending
 */
export function arrivals({ hours, phases, seed }) {
  const next = random(seed)
  const exponential = (mean) => -Math.log(1 - next()) * mean
  const endMs = hours * 3600_000
  const times = []
  for (let phase = 0, nowMs = 0; nowMs < endMs; phase++) {
    const { perSecond, meanS } = phases[phase % phases.length]
    const untilMs = Math.min(endMs, nowMs + exponential(meanS * 1000))
    if (perSecond > 0) {
      for (let at = nowMs + exponential(1000 / perSecond); at < untilMs; at += exponential(1000 / perSecond))
        times.push(at)
    }
    nowMs = untilMs
  }
  return times
}
