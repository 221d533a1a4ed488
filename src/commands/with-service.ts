/**
 * The service that a command talks to: the one whose address was given; else the one that runs where `serve` listens by default;
 * else one within this process, on the data folder, so that the first import needs no second terminal.
 */
import { OnepeaceClient, OnepeaceError, ProblemError } from 'onepeace-client'
import { type ClientConfig, type Config, ConfigError, loadClientConfig, loadConfig } from '../config.ts'
import { buildApp } from '../http/app.ts'
import { openServices } from './compose.ts'
import { DataDirError } from './data-dir.ts'

export interface ServiceFlags {
  url?: string | undefined
  /** Says that the folder is meant, and no service that runs. */
  data?: string | undefined
  model?: string | undefined
}

/** The service does not answer, or refuses; the message says what to do. */
export class ServiceError extends Error {
  override name = 'ServiceError'
}

const PROBE_MS = 5000
/** With the waits between them, half a minute. */
const MAX_RETRIES = 6

/** @throws ServiceError, and what opening a data folder and a bundle throws */
export async function withService<T>(flags: ServiceFlags, use: (client: OnepeaceClient) => Promise<T>): Promise<T> {
  const { url, isGiven, apiKey } = loadClientConfig(flags)
  const isLocal = flags.data !== undefined || flags.model !== undefined
  if (isLocal && flags.url !== undefined) {
    throw new ConfigError('--url asks a service, which has its own data and model: leave out --data and --model.')
  }
  if (!isLocal && (isGiven || (await isRunning(url)))) return ask({ url, isGiven, apiKey }, use)
  return withOwnService(loadConfig(flags), use)
}

/** A command that nobody waits for may try for longer: see `maxRetries`. */
async function ask<T>({ url, apiKey }: ClientConfig, use: (client: OnepeaceClient) => Promise<T>): Promise<T> {
  try {
    return await use(new OnepeaceClient({ url, apiKey, maxRetries: MAX_RETRIES }))
  } catch (error) {
    throw toldOf(url, error)
  }
}

function toldOf(url: string, error: unknown): unknown {
  if (error instanceof TypeError && error.message === 'fetch failed') {
    const { code } = (error.cause ?? {}) as { code?: string }
    const message = `The service at ${url} cannot be reached${code ? ` (${code})` : ''}. Is it running? \`onepeace serve\` starts one.`
    return new ServiceError(message, { cause: error })
  }
  if (error instanceof ProblemError && error.code === 'unauthenticated') {
    const message = `The service at ${url} asks for a key: put one that \`onepeace keys create\` made into ONEPEACE_API_KEY.`
    return new ServiceError(message, { cause: error })
  }
  if (error instanceof OnepeaceError) return new ServiceError(error.message, { cause: error })
  return error
}

/** Whatever else may listen there is not asked further, and is sent no key. */
async function isRunning(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/livez`, { signal: AbortSignal.timeout(PROBE_MS) })
    return response.ok && ((await response.json()) as { status?: unknown }).status === 'live'
  } catch {
    return false
  }
}

/**
 * Without a socket: nobody else can reach it, so it asks for no key. Who may use the folder sees what tenant `default` has.
 * @throws DataDirError
 */
async function withOwnService<T>(config: Config, use: (client: OnepeaceClient) => Promise<T>): Promise<T> {
  console.error(`No service is running; using ${config.dataDir} in this process. \`onepeace serve\` keeps one ready.`)
  const services = await openServices(config).catch((error: unknown) => {
    if (!(error instanceof DataDirError) || !error.message.includes('in use')) throw error
    throw new DataDirError(`${error.message} If that is a service, give its address with --url.`, { cause: error })
  })
  try {
    const app = await buildApp({ ...config, host: '127.0.0.1', keys: undefined, rateLimit: 0 }, services)
    const client = new OnepeaceClient({ url: 'http://localhost', fetch: (request) => answer(app, request) })
    return await use(client).finally(() => app.close())
  } catch (error) {
    throw error instanceof OnepeaceError ? new ServiceError(error.message, { cause: error }) : error
  } finally {
    await services.close()
  }
}

type App = Awaited<ReturnType<typeof buildApp>>

async function answer(app: App, request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const body = request.body === null ? undefined : Buffer.from(await request.arrayBuffer())
  const { statusCode, headers, rawPayload } = await app.inject({
    method: request.method as 'GET',
    url: `${pathname}${search}`,
    headers: Object.fromEntries(request.headers),
    ...(body && { payload: body }),
  })
  const plain = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)])
  const hasBody = statusCode !== 204 && statusCode !== 304
  return new Response(hasBody ? new Uint8Array(rawPayload) : null, { status: statusCode, headers: plain })
}
