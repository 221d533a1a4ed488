/** One request to the API as data: what is sent, and what the snippets say, so that the two cannot differ. */
import type { components } from '../../../src/http/contract.d.ts'

export type Schemas = components['schemas']

export type FormField = { name: string; text: string } | { name: string; file: Blob; fileName: string }

export interface ApiCall {
  method: 'GET' | 'POST'
  /** From `/v1` on, query and all. */
  path: string
  /** At most one of the two. */
  json?: unknown
  form?: FormField[]
}
