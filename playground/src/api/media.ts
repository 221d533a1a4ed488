/**
 * Bytes of the API as object URLs: an `<img src>` could not bear the key. The last few hundred are kept; what falls out is
 * freed, and fetched again if it comes back into view.
 */
import { fetchBytes } from './client.ts'

const KEPT = 400
const kept = new Map<string, Promise<Blob>>()

/** @throws ProblemError */
export function bytesAt(path: string): Promise<Blob> {
  const known = kept.get(path)
  const blob = known ?? fetchBytes(path)
  kept.delete(path)
  kept.set(path, blob) // last in, last out
  if (known === undefined) blob.catch(() => kept.delete(path))
  for (const [oldest] of kept) {
    if (kept.size <= KEPT) break
    kept.delete(oldest)
  }
  return blob
}

/** Of another key's or collection's media nothing may be left. */
export const forgetMedia = (): void => kept.clear()

export const thumbnailOf = (mediaUrl: string, sizePx: number): string =>
  mediaUrl.replace(/\/media$/, `/thumbnail?size=${sizePx}`)
