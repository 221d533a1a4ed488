/**
 * Ranks of two sides that are to find each other, from one pass over their cosines.
 *
 *   side[i] ─┐                     for each text j: how many media are as near as its own, or nearer
 *   text[j] ─┴─ cosine (i, j) ──►  for each medium i: how many foreign texts are as near as the nearest of its own
 */
import { setImmediate } from 'node:timers/promises'
import { dot } from '../metrics.ts'

export interface CrossRanks {
  /** Of each medium: 0 if one of its own texts is nearest of all. A tie counts against it. */
  ofMedia: number[]
  /** Of each text: 0 if its medium is nearest. */
  ofTexts: number[]
}

/**
 * @param of of each text the index of its medium; each medium has at least one
 * @param signal asked for between media, as a pass over COCO takes minutes
 */
export async function crossRanks(
  media: readonly Float32Array[],
  texts: readonly Float32Array[],
  of: readonly number[],
  signal?: AbortSignal,
): Promise<CrossRanks> {
  const own = texts.map((text, j) => dot(media[of[j]!]!, text))
  const nearestOwn = new Float64Array(media.length).fill(Number.NEGATIVE_INFINITY)
  for (const [j, medium] of of.entries()) nearestOwn[medium] = Math.max(nearestOwn[medium]!, own[j]!)
  const ofMedia = new Array<number>(media.length).fill(0)
  const ofTexts = new Array<number>(texts.length).fill(0)
  for (const [i, medium] of media.entries()) {
    for (let j = 0; j < texts.length; j++) {
      if (of[j] === i) continue
      const cosine = dot(medium, texts[j]!)
      if (cosine >= nearestOwn[i]!) ofMedia[i]!++
      if (cosine >= own[j]!) ofTexts[j]!++
    }
    await setImmediate()
    signal?.throwIfAborted()
  }
  return { ofMedia, ofTexts }
}
