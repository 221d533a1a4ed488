/** What stands before an encoder service: the secret, the room there is, the body as announced. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { DomainError } from '../../errors.ts'
import type { Room } from '../../room.ts'
import { SECRET_HEADER, type WireError, wireErrorOf } from './wire.ts'

/** A request that is refused as a whole. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly error: WireError,
  ) {
    super(error.message)
  }
}

const RETRY_AFTER_S = 1

const sha256Of = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Whether a request bears the secret. Hashes are compared, in constant time, so that not even a length is told. */
export function secretCheck(secret: string): (headers: IncomingHttpHeaders) => boolean {
  const expected = sha256Of(`Bearer ${secret}`)
  return ({ authorization = '', [SECRET_HEADER]: own }) =>
    timingSafeEqual(sha256Of(own === undefined ? authorization : `Bearer ${own}`), expected)
}

/** @returns call once, to leave. @throws Refusal 503 `overloaded` */
export function enter(room: Room, bytes: number): () => void {
  const leave = room.enter(bytes)
  if (leave) return leave
  const message = `The encoder has as much work as it accepts; try again in ${RETRY_AFTER_S} s.`
  throw new Refusal(503, wireErrorOf(new DomainError('overloaded', message, { retryAfterS: RETRY_AFTER_S })))
}

/** The whole body, in memory of its own. @throws Refusal 400 if it is not as long as announced */
export async function readBody(request: IncomingMessage, length: number): Promise<Uint8Array> {
  const body = new Uint8Array(length)
  let at = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (at + chunk.length > length) break
    body.set(chunk, at)
    at += chunk.length
  }
  if (at === length) return body
  throw new Refusal(400, { message: `The body has ${at} bytes instead of ${length}.` })
}
