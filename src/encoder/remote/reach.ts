/**
 * How a service is reached: one that listens all the time, or one that exists only while it answers.
 *
 *   a process           asked for its health every second; takes large requests, a few at once
 *   a Lambda function   by its URL; not asked, as each question would be work and wake what sleeps; each request has a process of
 *                       its own, is signed with the caller's AWS credentials, and is of 6 MB at most as base64
 */
import type { Signer } from './lambda-signer.ts'

export interface Reach {
  /** Whether it is asked for its health every now and then; one that is not counts as well until a request fails. */
  isProbed: boolean
  /** Requests of one kind at once: a process has the next at hand when it is done with one, functions work side by side. */
  slots: number
  /** Bytes of a request that it takes. */
  maxRequestBytes: number
  sign?: Signer
}

const PROCESS: Reach = { isProbed: true, slots: 4, maxRequestBytes: Number.POSITIVE_INFINITY }
/** 6 MB of an event, of which 4/3 are base64, and room for its headers. */
const LAMBDA_BYTES = 4_400_000
const LAMBDA_SLOTS = 16

export function reachOf(url: string): Reach {
  const { hostname } = new URL(url)
  const region = /^[a-z0-9]+\.lambda-url\.([a-z0-9-]+)\.on\.aws$/.exec(hostname)?.[1]
  if (region === undefined) return PROCESS
  return { isProbed: false, slots: LAMBDA_SLOTS, maxRequestBytes: LAMBDA_BYTES, sign: lazySigner(hostname, region) }
}

/** AWS' code is loaded with the first request that needs it. */
function lazySigner(hostname: string, region: string): Signer {
  let signer: Promise<Signer> | undefined
  return async (request) => {
    signer ??= import('./lambda-signer.ts').then(({ signerOf }) => signerOf(hostname, region))
    return (await signer)(request)
  }
}
