/** Embedded store: rows say of which keys they have several numbers, so that a range need not look for more than the first. */
import type { Migration } from '../maintenance.ts'
import { type LanceTables, withFacts, writeFacts } from './0001-facts.ts'

export function manyNumbers(tables: LanceTables): Migration {
  return {
    id: '0004-many-numbers',
    title: 'mark the keys that have several numbers, which makes ranges faster',
    pending: () => withFacts(tables, 1),
    apply: (name, onProgress) => writeFacts(tables, name, onProgress),
  }
}
