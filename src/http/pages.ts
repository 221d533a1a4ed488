/**
 * The pages of the service: the playground at `/`, the contract as a page at `/docs`. Built by Vite from `playground/` into
 * `dist/playground`; open to anyone, since what they show they ask the API for, with the reader's key where one is needed.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { HttpProblem } from './problems.ts'

const PAGES_DIR = fileURLToPath(new URL('../../dist/playground', import.meta.url))
const PAGES = { '/': 'index.html', '/docs': 'docs.html' }

/** Paths as routes have them: what the service serves beside the contract. */
export const PAGE_PATHS: readonly string[] = [...Object.keys(PAGES), '/assets/:file']

/** Nothing but this service: no inline script or style, no other host. Media that the reader gives are `blob:`. */
const HEADERS = {
  'content-security-policy':
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob: data:; " +
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'permissions-policy': 'camera=(self), microphone=(self), geolocation=(), display-capture=()',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}
const YEAR_MS = 365 * 24 * 3600 * 1000

/** @param dir holds the built pages; where it does not exist the paths answer 404 and say so */
export async function registerPages(app: FastifyInstance, dir = PAGES_DIR): Promise<void> {
  await app.register(fastifyStatic, { root: dir, serve: false, preCompressed: true })
  for (const [path, file] of Object.entries(PAGES)) {
    app.get(path, async (_request, reply) => {
      if (!existsSync(dir)) throw new HttpProblem('not-found', 'The pages are not built; `npm run build` makes them.')
      return send(reply, file, { maxAge: 0 })
    })
  }
  app.get<{ Params: { file: string } }>('/assets/:file', async ({ params }, reply) => {
    if (!/^[\w.-]+$/.test(params.file)) return reply.callNotFound()
    return send(reply, `assets/${params.file}`, { maxAge: YEAR_MS, immutable: true })
  })
}

/** Names of assets bear a hash of what they hold, so that they may be kept; pages are asked for again. */
function send(reply: FastifyReply, file: string, caching: { maxAge: number; immutable?: boolean }): FastifyReply {
  return reply.headers(HEADERS).sendFile(file, caching)
}
