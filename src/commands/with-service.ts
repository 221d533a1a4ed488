/**
 * The service that a command talks to: the one whose address was given; else the one that runs where `serve` listens by default;
 * else one within this process, on the data folder, so that the first import needs no second terminal.
 */
import { type ClientOptions, OnepeaceClient, OnepeaceError, ProblemError } from 'onepeace-client'
import { ConfigError, loadClientConfig, loadConfig } from '../config.ts'
import { ServiceError } from './service-error.ts'

export interface ServiceFlags {
  url?: string | undefined
  /** Says that the folder is meant, and no service that runs. */
  data?: string | undefined
  model?: string | undefined
}

const PROBE_MS = 5000
/** How often long work tries again: with the waits between, half a minute. Whoever waits for an answer hears sooner. */
export const PATIENT = { maxRetries: 6 }

/** @throws ServiceError, and what opening a data folder and a bundle throws */
export async function withService<T>(
  flags: ServiceFlags,
  use: (client: OnepeaceClient) => Promise<T>,
  retries: { maxRetries?: number } = {},
): Promise<T> {
  const { url, isGiven, apiKey } = loadClientConfig(flags)
  const isLocal = flags.data !== undefined || flags.model !== undefined
  if (isLocal && flags.url !== undefined) {
    throw new ConfigError('--url asks a service, which has its own data and model: leave out --data and --model.')
  }
  if (!isLocal && (isGiven || (await isRunning(url)))) return ask({ url, apiKey, ...retries }, use)
  // What a service is made of takes a second to load: only where there is none.
  const { withOwnService } = await import('./own-service.ts')
  return withOwnService(loadConfig(flags), use)
}

async function ask<T>(
  options: ClientOptions & { url: string },
  use: (client: OnepeaceClient) => Promise<T>,
): Promise<T> {
  try {
    return await use(new OnepeaceClient(options))
  } catch (error) {
    throw toldOf(options.url, error)
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
export async function isRunning(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/livez`, { signal: AbortSignal.timeout(PROBE_MS) })
    return response.ok && ((await response.json()) as { status?: unknown }).status === 'live'
  } catch {
    return false
  }
}
