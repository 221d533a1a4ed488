/** Sends a call. Answers with what the service said, or throws a `ProblemError` with a sentence for the reader. */
import type { ApiCall, Schemas } from './call.ts'
import { readKey } from './key.ts'

export class ProblemError extends Error {
  /** 0 where there was no answer. */
  readonly status: number
  readonly problem: Pick<Schemas['Problem'], 'title' | 'detail' | 'errors'> & Partial<Schemas['Problem']>

  constructor(status: number, problem: ProblemError['problem']) {
    super(problem.detail)
    this.name = 'ProblemError'
    this.status = status
    this.problem = problem
  }
}

export interface SendOptions {
  signal?: AbortSignal | undefined
  /** How often to wait and ask again where the service says that it is busy. */
  retries?: number
}

/** @throws ProblemError; DOMException `AbortError` */
export async function send<T>(call: ApiCall, options: SendOptions = {}): Promise<T> {
  return (await fetchCall(call, options)).json() as Promise<T>
}

/** The bytes at a path of the API. @throws as `send` */
export async function fetchBytes(path: string, options: SendOptions = {}): Promise<Blob> {
  return (await fetchCall({ method: 'GET', path }, { retries: 2, ...options })).blob()
}

const LONGEST_WAIT_S = 30

async function fetchCall(call: ApiCall, { signal, retries = 0 }: SendOptions): Promise<Response> {
  for (let left = retries; ; left--) {
    const response = await fetch(call.path, requestOf(call, signal)).catch((error: unknown) => {
      if (signal?.aborted) throw error
      throw unreachable()
    })
    if (response.ok) return response
    const waitS = Number(response.headers.get('retry-after') ?? Number.NaN)
    if (left <= 0 || !(waitS <= LONGEST_WAIT_S)) throw await problemOf(response)
    await new Promise((resolve) => setTimeout(resolve, waitS * 1000))
  }
}

function requestOf({ method, json, form }: ApiCall, signal: AbortSignal | undefined): RequestInit {
  const key = readKey()
  const body = form ? formOf(form) : json === undefined ? null : JSON.stringify(json)
  const headers = {
    ...(json !== undefined && { 'content-type': 'application/json' }),
    ...(key !== '' && { authorization: `Bearer ${key}` }),
  }
  return { method, headers, body, ...(signal && { signal }) }
}

function formOf(fields: NonNullable<ApiCall['form']>): FormData {
  const data = new FormData()
  for (const field of fields) {
    if ('text' in field) data.append(field.name, field.text)
    else data.append(field.name, field.file, field.fileName)
  }
  return data
}

async function problemOf(response: Response): Promise<ProblemError> {
  const problem = await response.json().catch(() => undefined)
  if (typeof problem?.detail === 'string') return new ProblemError(response.status, problem)
  const detail = `Something between here and the service answered with status ${response.status}.`
  return new ProblemError(response.status, { title: 'No answer of the service', detail })
}

function unreachable(): ProblemError {
  const detail = 'Nothing answers at this address. See whether `onepeace serve` still runs, then try again.'
  return new ProblemError(0, { title: 'The service cannot be reached', detail })
}
