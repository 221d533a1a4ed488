/** What a run found, as a table for the terminal and as JSON. */
import { PAPER_SOURCE } from '../data-sets/paper.ts'
import type { Result, ResultRow } from './result.ts'

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

export const HEADINGS = ['task', 'measure', 'n', 'found', '95 %', 'chance', 'paper'] as const

/** Cells of the table, a row a figure. */
export function cellsOf({ task, measure, trials, value, interval, chance, paper }: ResultRow): (string | number)[] {
  const [low, high] = interval ?? []
  return [
    task,
    measure,
    trials,
    percent(value),
    low === undefined ? '' : `${(100 * low).toFixed(1)} to ${percent(high!)}`,
    chance === undefined ? '' : percent(chance),
    paper === undefined ? '' : `${percent(paper.value)} (${paper.condition})`,
  ]
}

/** Sentences below the table: what the figures are not. */
export function notesOf({ rows, leftOut }: Result, isLimited: boolean): string[] {
  const notes: string[] = []
  if (rows.some(({ paper }) => paper)) notes.push(`Paper: ${PAPER_SOURCE}.`)
  if (isLimited) notes.push('Only the first part was asked (--limit): not comparable.')
  if (leftOut.length > 0) {
    const some = leftOut.slice(0, 5).map(({ file, reason }) => `  ${file}: ${reason}`)
    const count = leftOut.length === 1 ? '1 file was' : `${leftOut.length} files were`
    notes.push(`${count} left out, so the figures are not comparable:`, ...some)
    if (leftOut.length > some.length) notes.push(`  and ${leftOut.length - some.length} more; --json lists all.`)
  }
  return notes
}

export function asJson({ dataSet, split, setting, model, rows, leftOut }: Result, isLimited: boolean): object {
  return {
    data_set: dataSet,
    split,
    setting,
    model,
    limited: isLimited,
    rows,
    left_out: leftOut,
    paper_source: PAPER_SOURCE,
  }
}
