/** `/v1/jobs` and below: how far jobs are, which lines failed, and their cancelling. */
import type { FastifyRequest } from 'fastify'
import { jobBody, jobErrorBody } from '../job-body.ts'
import { invalid, type Schemas } from '../openapi.ts'
import type { RouteContext } from '../route.ts'

export function jobRoutes({ add, deps }: RouteContext): void {
  const jobs = ({ caller }: FastifyRequest) => deps.forTenant(caller.tenant).jobs
  const idOf = ({ checked }: FastifyRequest) => String(checked.job)
  add('listJobs', async (request): Promise<Schemas['JobList']> => {
    const before = cursorOf(request, /^[0-9a-f-]{36}$/)
    const { jobs: page, more } = await jobs(request).list({ limit: Number(request.checked.limit), before })
    const body: Schemas['JobList'] = { jobs: page.map((job) => jobBody(job, request)) }
    if (more) body.next_cursor = page.at(-1)!.request.id
    return body
  })
  add('getJob', async (request) => jobBody(await jobs(request).get(idOf(request)), request))
  add('cancelJob', async (request) => jobBody(await jobs(request).cancel(idOf(request)), request))
  add('listJobErrors', async (request): Promise<Schemas['JobErrorList']> => {
    const after = cursorOf(request, /^\d{1,15}$/)
    const query = { limit: Number(request.checked.limit), after: after === undefined ? undefined : Number(after) }
    const { lines, more } = await jobs(request).errors(idOf(request), query)
    const body: Schemas['JobErrorList'] = { errors: lines.map((line) => jobErrorBody(line, request)) }
    if (more) body.next_cursor = String(lines.at(-1)!.line)
    return body
  })
}

/** A cursor is the last id, or line, of the page before. */
function cursorOf({ checked }: FastifyRequest, pattern: RegExp): string | undefined {
  if (checked.cursor === undefined || pattern.test(String(checked.cursor))) return checked.cursor as string | undefined
  const finding = { pointer: '/query/cursor', detail: 'is not a cursor' }
  throw invalid('The cursor is none that this service gave.', [finding])
}
