/**
 * The bytes behind an address that a stranger gave. In: http(s) URL. Out: bytes, or one clear refusal.
 *
 *   URL ─► scheme, port, no user ─► resolve once ─► every address routable? ─► connect to that very address ─► 2xx: capped bytes
 *    ▲                                                                                                      │
 *    └──────────────────────────────── redirect: everything again, at most five times ◄─────────────────────┘
 *
 * A name is resolved once a hop and the connection goes to the address that was checked, so an answer that changes in between
 * ("DNS rebinding") changes nothing; the host header and TLS still bear the name. One deadline covers all of it. Bytes are
 * taken as they are: no decompression, no cookies, no credentials.
 */
import { Resolver } from 'node:dns/promises'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { DomainError } from '../errors.ts'
import { isGloballyRoutable } from './addresses.ts'

export interface RemoteFetcherOptions {
  /** Bytes of a response. */
  maxBytes: number
  /** For the whole of a fetch: names, redirects, body. */
  timeoutMs: number
  /** False refuses every fetch. Default true. */
  enabled?: boolean
  /** Addresses of a name. Default: asks the system's name servers. For tests. */
  resolve?: (host: string, signal: AbortSignal) => Promise<string[]>
  /** Which addresses may be reached. Default: those of the open internet. For tests. */
  allows?: (address: string) => boolean
  /** Ports that may be reached. Default 80 and 443. For tests. */
  allowsPort?: (port: number) => boolean
}

const MAX_REDIRECTS = 5
const REDIRECTS = [301, 302, 303, 307, 308]

export class RemoteFetcher {
  readonly #options: Required<RemoteFetcherOptions>

  constructor(options: RemoteFetcherOptions) {
    this.#options = {
      enabled: true,
      resolve: resolveAll,
      allows: isGloballyRoutable,
      allowsPort: (port) => port === 80 || port === 443,
      ...options,
    }
  }

  /**
   * @throws DomainError `invalid-request` (the address may not be fetched), `undecodable-media` (it cannot be), `media-too-large`,
   *   `deadline-exceeded` (aborted)
   */
  async fetch(address: string, signal?: AbortSignal): Promise<Uint8Array> {
    if (!this.#options.enabled)
      throw refused('This service fetches nothing; send the bytes as a data: URL or as a form.')
    const deadline = AbortSignal.timeout(this.#options.timeoutMs)
    const either = signal ? AbortSignal.any([signal, deadline]) : deadline
    try {
      return await this.#follow(address, either)
    } catch (error) {
      if (signal?.aborted) throw new DomainError('deadline-exceeded', 'The request ended while its media was fetched.')
      if (deadline.aborted) throw failed(`did not answer in full within ${this.#options.timeoutMs} ms`)
      if (error instanceof DomainError) throw error
      throw failed('could not be reached', error)
    }
  }

  async #follow(address: string, signal: AbortSignal): Promise<Uint8Array> {
    let url = urlOf(address)
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const response = await this.#request(url, signal)
      const { statusCode = 0, headers } = response
      if (!REDIRECTS.includes(statusCode) || headers.location === undefined) return this.#read(response)
      response.destroy()
      const next = urlOf(headers.location, url)
      if (url.protocol === 'https:' && next.protocol === 'http:') throw refused('A redirect leads from https to http.')
      url = next
    }
    throw failed(`redirects more than ${MAX_REDIRECTS} times`)
  }

  async #request(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
    if (!this.#options.allowsPort(port)) throw refused(`Port ${port} may not be fetched from; only 80 and 443.`)
    const addresses = await this.#checked(host, signal)
    const request = url.protocol === 'https:' ? requestHttps : requestHttp
    const options = {
      host,
      lookup: only(addresses),
      autoSelectFamily: true, // one that does not answer gives way to the next
      port,
      path: url.pathname + url.search,
      ...(isIP(host) === 0 && { servername: host }),
      headers: { host: url.host, accept: 'image/*, audio/*', 'accept-encoding': 'identity', 'user-agent': 'onepeace' },
      agent: false as const,
      signal,
    }
    return new Promise((resolve, reject) => {
      request(options, resolve).on('error', reject).end()
    })
  }

  /** The addresses to connect to. One refusal for all reasons, so that nobody can map what lies behind. */
  async #checked(host: string, signal: AbortSignal): Promise<string[]> {
    const addresses = isIP(host) ? [host] : await unlessAborted(this.#options.resolve(host, signal), signal)
    if (addresses.length > 0 && addresses.every((address) => this.#options.allows(address))) return addresses
    throw refused('The URL leads to no address of the public internet.')
  }

  async #read(response: IncomingMessage): Promise<Uint8Array> {
    const { statusCode = 0, headers } = response
    const { maxBytes } = this.#options
    try {
      if (statusCode < 200 || statusCode > 299) throw failed(`answered with status ${statusCode}`)
      const encoding = headers['content-encoding'] ?? 'identity'
      if (encoding !== 'identity')
        throw failed(`answered with content-encoding ${JSON.stringify(encoding.slice(0, 40))}`)
      if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
      const chunks: Uint8Array[] = []
      let bytes = 0
      for await (const chunk of response as AsyncIterable<Uint8Array>) {
        bytes += chunk.length
        if (bytes > maxBytes) throw tooLarge(maxBytes)
        chunks.push(chunk)
      }
      return Buffer.concat(chunks)
    } finally {
      response.destroy()
    }
  }
}

/** Checked as written: parsing would drop white space and turn backslashes, and so hide what they were meant for. */
function urlOf(text: string, base?: URL): URL {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\x00-\x20\\\x7f]/.test(text)) throw refused('The URL holds white space, a control character or a backslash.')
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw refused('The URL is none of http or https.')
  if (url.username !== '' || url.password !== '') throw refused('The URL may not hold a user name or password.')
  return url
}

/** Resolves every name to the addresses that were checked, so that none is resolved again. */
function only(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }))
  return (_host, { all: wantsAll }, callback) => {
    if (wantsAll) callback(null, all)
    else callback(null, all[0]!.address, all[0]!.family)
  }
}

/**
 * Asks the name servers itself: the system's `getaddrinfo` cannot be called off, and holds one of the few threads that files are
 * read on. What it would know besides, /etc/hosts and search domains, are names of the inside, which are refused anyway.
 */
async function resolveAll(host: string, signal: AbortSignal): Promise<string[]> {
  const resolver = new Resolver()
  const cancel = () => resolver.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    if (addresses.length > 0) return addresses
    throw (answers[0] as PromiseRejectedResult).reason
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

/** Nobody waits for it longer than for the rest, whether it heeds the signal or not. */
function unlessAborted<T>(task: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    task.then(resolve, reject) // first, so that its failure is always heard, even by nobody
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

const refused = (message: string): DomainError => new DomainError('invalid-request', message)

const failed = (what: string, cause?: unknown): DomainError =>
  new DomainError('undecodable-media', `The URL ${what}; check it, or send the bytes themselves.`, { cause })

const tooLarge = (maxBytes: number): DomainError =>
  new DomainError(
    'media-too-large',
    `The URL holds more than the ${maxBytes} bytes that are fetched; send a smaller file.`,
  )
