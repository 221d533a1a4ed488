/** Whatever goes wrong leaves as `application/problem+json`; what is no fault of the client's goes to the log as well. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Contract } from '../openapi.ts'
import { PAGE_PATHS } from '../pages.ts'
import { HttpProblem, problemOf } from '../problems.ts'

export function registerProblemDetails(app: FastifyInstance, contract: Contract): void {
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply))
  const paths = pathsOf(contract)
  app.setNotFoundHandler((request, reply) => sendProblem(unrouted(request, paths), request, reply))
}

export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { problem, headers } = toldProblem(error, request)
  request.problemCode = problem.code
  return reply.code(problem.status).headers(headers).type('application/problem+json').send(JSON.stringify(problem))
}

/** The service as it is meant to be; the metrics count them, and a log that grows with the load would add to it. */
const EXPECTED = ['deadline-exceeded', 'overloaded', 'encoder-starting']

/** What the client is told of an error; what is ours to mend is told to the log as well. */
export function toldProblem(error: unknown, request: FastifyRequest): ReturnType<typeof problemOf> {
  const told = problemOf(error, { id: request.id, path: pathOf(request.url) })
  const { status, code, detail } = told.problem
  const isProbe = status === 503 && request.routeOptions.config?.scope === undefined // its answer is the news
  if (status >= 500 && !EXPECTED.includes(code) && !isProbe) request.log.error({ err: error }, detail)
  return told
}

function pathOf(url: string): string {
  return url.split('?', 1)[0]!
}

interface KnownPath {
  pattern: RegExp
  methods: string[]
}

function pathsOf(contract: Contract): KnownPath[] {
  const pages = PAGE_PATHS.map((path) => ({ path, method: 'GET' }))
  const routes = [...contract.operations, ...pages]
  return [...new Set(routes.map(({ path }) => path))].map((path) => {
    const methods = routes.filter((each) => each.path === path).map((each) => each.method)
    if (methods.includes('GET')) methods.push('HEAD')
    return { pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}|:\w+/g, '[^/]+')}$`), methods }
  })
}

function unrouted(request: FastifyRequest, paths: readonly KnownPath[]): HttpProblem {
  const path = pathOf(request.url)
  const known = paths.find(({ pattern }) => pattern.test(path))
  if (known === undefined || known.methods.includes(request.method)) {
    return new HttpProblem('not-found', 'There is no such path; `/openapi.json` lists those that exist.')
  }
  const allow = known.methods.join(', ')
  return new HttpProblem('method-not-allowed', `This path takes ${allow}.`, { headers: { allow } })
}
