/** A line of NDJSON as an item, checked against the contract; and what is wrong with one, in a form that can be kept. */
import type { LineFailure } from '../jobs/job-records.ts'
import type { ItemDraft } from '../services/index-items.ts'
import { TOO_LONG_LINE } from '../services/jobs.ts'
import { type Caller, contentOf } from './content-body.ts'
import type { Line } from './ndjson.ts'
import { type Contract, invalid } from './openapi.ts'
import { HttpProblem, problemOf } from './problems.ts'

/** @throws HttpProblem `invalid-request`, `payload-too-large` */
export function jsonOfLine(line: Line): unknown {
  if (line === undefined) throw new HttpProblem('payload-too-large', 'The line is longer than a request may be.')
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line))
  } catch {
    throw invalid('The line is not JSON in UTF-8.')
  }
}

/** What workers read lines of imports by. */
export function lineFormat(contract: Contract) {
  return {
    /** @throws HttpProblem `invalid-request`, `payload-too-large` */
    read(line: Uint8Array, caller: Caller): { id?: string | undefined; draft: ItemDraft } {
      const isTooLong = line.length === TOO_LONG_LINE.length && line[0] === TOO_LONG_LINE[0]
      const { id, metadata, ...item } = contract.check('ImportItem', jsonOfLine(isTooLong ? undefined : line))
      if ('input' in item) return { id, draft: { content: contentOf(item.input, '/input', caller), metadata } }
      return { id, draft: { content: [{ kind: 'remote', url: item.url, weight: 1 }], metadata } }
    },
    failureOf(error: unknown): LineFailure {
      const { code, detail, errors } = problemOf(error, { id: '', path: '' }).problem
      return { code, detail, ...(errors && { errors }) }
    },
  }
}
