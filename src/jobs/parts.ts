/**
 * A job's parts as messages of the queue, and which of them are in it: at most `WINDOW` of a job at once, so that no job stands before
 * all of another's, and the queue stays short. Part n is followed by part n + WINDOW.
 *
 *   0 ─► 32 ─► 64 …
 *   1 ─► 33 ─► 65 …      as many chains as the window is wide; a chain goes on when its part is done
 */
import type { OpenJob } from './job-records.ts'

/** Enough for a dozen workers on one job. */
export const WINDOW = 32

export interface PartOfJob extends OpenJob {
  part: number
}

export function messageOf({ tenant, id, part }: PartOfJob): string {
  return `${tenant}/${id}/${part}`
}

export function partOf(message: string): PartOfJob {
  const [tenant = '', id = '', part = ''] = message.split('/')
  return { tenant, id, part: Number(part) }
}

/** Of a job of which some parts are done: the first that is not, of each chain. */
export function nextParts(parts: number, done: ReadonlySet<number>): number[] {
  const next: number[] = []
  for (let chain = 0; chain < Math.min(WINDOW, parts); chain++) {
    let part = chain
    while (part < parts && done.has(part)) part += WINDOW
    if (part < parts) next.push(part)
  }
  return next
}
