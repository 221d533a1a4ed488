/** The fleet of `npm run fleet`, for tests: typed, and clients that go to its services in turn. */
import { createHash } from 'node:crypto'

export interface Fleet {
  /** The services themselves. */
  urls: string[]
  /** One address before them. */
  url: string
  encoderUrls: string[]
  processes: Map<string, { kill(signal?: NodeJS.Signals): void; ready(): Promise<void>; starts: number }>
  dir: string
  stop(): Promise<void>
}

export interface FleetOptions {
  apis?: number
  encoders?: number
  workers?: number
  mediaUrl?: string
  queueUrl?: string | null
  env?: Record<string, string>
  log?: (line: string) => void
}

export async function startFleet(options: FleetOptions = {}): Promise<Fleet> {
  const script = new URL('../../deploy/fleet/fleet.mjs', import.meta.url).href
  const log = process.env.FLEET_LOG ? (line: string) => console.error(line) : undefined
  const qdrantUrl = process.env.QDRANT_URL
  return (await import(script)).startFleet({ ...(log && { log }), ...(qdrantUrl && { qdrantUrl }), ...options })
}

/** Stops it, and leaves nothing in a Qdrant that goes on without it. */
export async function endFleet(fleet: Fleet | undefined): Promise<void> {
  if (fleet === undefined) return
  const { json } = await call(`${fleet.urls[0]}/v1/collections`)
  for (const { name } of json?.collections ?? [])
    await call(`${fleet.urls[0]}/v1/collections/${name}`, { method: 'DELETE' })
  await fleet.stop()
}

export interface Answer {
  status: number
  headers: Headers
  bytes: Buffer
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect
  json: any
}

export async function call(url: string, init: RequestInit & { json?: unknown } = {}): Promise<Answer> {
  const { json, headers, ...more } = init
  const response = await fetch(url, {
    ...more,
    headers: { ...(json !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(json !== undefined && { body: JSON.stringify(json) }),
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const isJson =
    /json/.test(response.headers.get('content-type') ?? '') && !/ndjson/.test(response.headers.get('content-type')!)
  return {
    status: response.status,
    headers: response.headers,
    bytes,
    json: isJson ? JSON.parse(bytes.toString()) : undefined,
  }
}

export const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
