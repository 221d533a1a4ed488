/** A service within this process, for commands that find none: the same API, over the data folder, without a socket. */
import { OnepeaceClient, OnepeaceError } from 'onepeace-client'
import type { Config } from '../config.ts'
import { buildApp } from '../http/app.ts'
import { openServices } from './compose.ts'
import { DataDirError } from './data-dir.ts'
import { ServiceError } from './service-error.ts'

/**
 * Without a socket: nobody else can reach it, so it asks for no key. Who may use the folder sees what tenant `default` has.
 * @throws DataDirError
 */
export async function withOwnService<T>(config: Config, use: (client: OnepeaceClient) => Promise<T>): Promise<T> {
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
