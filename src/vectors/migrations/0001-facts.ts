/** Embedded store: tables from before filters get the column of facts (facts.ts), by which metadata is searched. */
import type { Migration } from '../maintenance.ts'
import { factsOfPayload, type Row } from '../rows.ts'

export interface LanceTables {
  names(): Promise<string[]>
  columns(name: string): Promise<string[]>
  rewrite(name: string, change: (row: Row) => Row, onProgress?: (done: number, total: number) => void): Promise<void>
}

export function facts(tables: LanceTables): Migration {
  return {
    id: '0001-facts',
    title: 'give tables from before filters what filters search',
    pending: async () => {
      const pending: string[] = []
      for (const name of await tables.names()) if (!(await tables.columns(name)).includes('facts')) pending.push(name)
      return pending
    },
    apply: (name, onProgress) =>
      tables.rewrite(name, (row) => ({ ...row, facts: factsOfPayload(row.payload) }), onProgress),
  }
}
