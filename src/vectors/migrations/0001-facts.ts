/** Embedded store: tables from before filters get the column of facts (facts.ts), by which metadata is searched. */
import type { Migration } from '../maintenance.ts'
import { factsOfPayload, type Row } from '../rows.ts'

export interface LanceTables {
  names(): Promise<string[]>
  /** 0 for no facts. */
  factsVersion(name: string): Promise<number>
  rewrite(name: string, change: (row: Row) => Row, onProgress?: (done: number, total: number) => void): Promise<void>
}

export function facts(tables: LanceTables): Migration {
  return {
    id: '0001-facts',
    title: 'give tables from before filters what filters search',
    pending: () => withFacts(tables, 0),
    apply: (name, onProgress) => writeFacts(tables, name, onProgress),
  }
}

/** Names of the tables whose facts are of this version. */
export async function withFacts(tables: LanceTables, version: number): Promise<string[]> {
  const found: string[] = []
  for (const name of await tables.names()) if ((await tables.factsVersion(name)) === version) found.push(name)
  return found
}

/** Writes the table anew, with the facts of the present version. */
export function writeFacts(tables: LanceTables, name: string, onProgress?: (done: number, total: number) => void) {
  return tables.rewrite(name, (row) => ({ ...row, facts: factsOfPayload(row.payload) }), onProgress)
}
