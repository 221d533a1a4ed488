/** What a run found, before it is shown. */
import type { PaperFigure } from '../data-sets/paper.ts'
import { type Figure, proportion } from '../metrics.ts'

export interface ResultRow extends Omit<Figure, 'interval'> {
  /** e.g. `image → text` */
  task: string
  /** Number of queries, files, questions or phrases. */
  trials: number
  /** 95 %, 0..1; absent for a mean over classes. */
  interval?: Figure['interval']
  /** What the paper reached. */
  paper?: PaperFigure
}

export interface Result {
  dataSet: string
  split: string
  /** How it was asked: by a head, or zero-shot. */
  setting: string
  /** Name and content hash of the bundle, as the service tells them. */
  model: { name: string; sha256: string }
  rows: ResultRow[]
  /** Files that the annotations name and that are not there, or that the service could not read. */
  leftOut: { file: string; reason: string }[]
}

/** A share as a row. */
export function shareRow(task: string, measure: string, hits: number, trials: number, chance?: number): ResultRow {
  return { task, trials, ...proportion(measure, hits, trials, chance) }
}
