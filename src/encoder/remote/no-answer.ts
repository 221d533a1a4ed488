/** What it means when a service does not answer, or something else does in its place. */
import { DomainError } from '../../errors.ts'
import type { Health } from './health.ts'
import type { WireError } from './wire.ts'

/** Of an answer over HTTP. */
interface Body {
  text(): Promise<string>
  json(): Promise<unknown>
}

const UNREACHED = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']

export function wasReached(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === undefined || !UNREACHED.includes(code)
}

/** What was aborted by ourselves has its reason already. */
export function unwell(cause: unknown): DomainError {
  if (cause instanceof DomainError) return cause
  const { name, code, message } = cause as NodeJS.ErrnoException
  const why = name === 'TimeoutError' ? 'It does not answer.' : `It cannot be reached (${code ?? message}).`
  return new DomainError('encoder-unavailable', why, { cause, retryAfterS: 1 })
}

export function throttled(): DomainError {
  return new DomainError('overloaded', 'The encoder service runs as often as it may; try again in 1 s.', {
    retryAfterS: 1,
  })
}

export function misfit(message: string): DomainError {
  return new DomainError('encoder-unavailable', message, { retryAfterS: 5 })
}

/** What a load balancer says with no service behind it. */
export const NOBODY_BEHIND = [502, 503, 504]

/** Health, or why it is not told. */
export async function answerOf(status: number, body: Body): Promise<Partial<Health> & WireError> {
  if (status !== 200) return refusalOf(status, body)
  return (await body.json()) as Health & WireError
}

/** What is no answer of an encoder service comes from something between, such as a proxy. */
export async function refusalOf(status: number, body: Body): Promise<WireError> {
  const text = await body.text()
  try {
    const error = JSON.parse(text) as WireError
    if (typeof error.message === 'string') return error
  } catch {}
  return { code: 'encoder-unavailable', message: `It gave no answer of an encoder service, but HTTP ${status}.` }
}
