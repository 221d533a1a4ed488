/**
 * Puts the HTTP surface together, without listening: tests inject requests, `onepeace serve` opens the socket.
 *
 *   onRequest: deadline ─► host and origin ─► key ─► rate ─► admission ─► size ─► parameters against the contract
 *   handler:   body against the contract ─► service ─► JSON
 *   errors:    problem+json, whatever they are
 */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { Transform } from 'node:stream'
import multipart from '@fastify/multipart'
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  type preParsingAsyncHookHandler,
} from 'fastify'
import type { KeyRing } from '../auth/key-ring.ts'
import { type Admission, DEFAULT_ADMISSION, type Limits } from '../services/limits.ts'
import { Contract, type Operation } from './openapi.ts'
import { registerPages } from './pages.ts'
import { registerAdmission } from './plugins/admission.ts'
import { registerAuthentication } from './plugins/authenticate.ts'
import { registerDeadline } from './plugins/deadline.ts'
import { isLoopback, registerLoopbackGuard } from './plugins/loopback-guard.ts'
import { registerObservation } from './plugins/observe.ts'
import { registerProblemDetails, sendProblem } from './plugins/problem-details.ts'
import { registerRateLimit } from './plugins/rate-limit.ts'
import { registerRequestId, requestIdOf } from './plugins/request-id.ts'
import { registerUnusedConnections } from './plugins/unused-connections.ts'
import { HttpProblem, problemOf } from './problems.ts'
import type { AddRoute, AppDeps } from './route.ts'
import { batchRoutes } from './routes/batch.ts'
import { collectionRoutes } from './routes/collections.ts'
import { embeddingRoutes } from './routes/embeddings.ts'
import { headRoutes } from './routes/heads.ts'
import { importRoutes } from './routes/imports.ts'
import { itemRoutes } from './routes/items.ts'
import { jobRoutes } from './routes/jobs.ts'
import { searchRoutes } from './routes/search.ts'
import { serviceRoutes } from './routes/service.ts'
import { similarityRoutes } from './routes/similarity.ts'
import { uploadRoutes } from './routes/uploads.ts'

export interface AppConfig {
  /** Address it will listen on; on loopback, foreign host names and web pages are refused. */
  host: string
  limits: Limits
  /** Whose keys are asked for; undefined to ask for none. */
  keys: KeyRing | undefined
  /** Proxies whose `x-forwarded-for` tells who calls. */
  trustedProxies?: readonly string[]
  /** Requests a minute of a key or address; 0 for no limit, undefined for 600 a key. */
  rateLimit?: number | undefined
  /** How much is in work at once; `DEFAULT_ADMISSION` if absent. */
  admission?: Admission
  /** Level of the log; `silent` in tests. */
  logLevel: string
  /** Where the log goes, a line of JSON an entry; stderr if absent. */
  log?: { write(line: string): void }
}

/** Ids of 256 characters, each up to four bytes of UTF-8, each byte three characters in a URL. */
const MAX_PARAM_LENGTH = 256 * 4 * 3
/** Parts of a form beyond the inputs: its options. */
const SPARE_FORM_PARTS = 64

export async function buildApp(config: AppConfig, deps: AppDeps): Promise<FastifyInstance> {
  const contract = new Contract()
  const app = fastify({
    bodyLimit: config.limits.maxRequestBytes,
    trustProxy: config.trustedProxies?.length ? [...config.trustedProxies] : false,
    genReqId: requestIdOf,
    logger: loggerOf(config),
    logController: new LogController({ disableRequestLogging: true }), // its lines bear the query string; `observe.ts` writes one that does not
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, request, reply) => void bearIdentity(request, reply, error),
  })
  app.removeContentTypeParser('text/plain')
  app.addContentTypeParser(/^(?:application\/x-ndjson|image\/|audio\/)/, (_request, body, done) => done(null, body))
  await app.register(multipart, { limits: formLimits(config.limits) })
  registerUnusedConnections(app)
  registerRequestId(app)
  registerObservation(app, deps.metrics)
  registerProblemDetails(app, contract)
  if (isLoopback(config.host)) registerLoopbackGuard(app)
  registerDeadline(app)
  registerAuthentication(app, config.host, config.keys)
  await registerRateLimit(app, config.rateLimit)
  registerAdmission(app, config.admission ?? DEFAULT_ADMISSION, longestBody(config.limits))
  registerSizeCheck(app)
  // biome-ignore lint/suspicious/noExplicitAny: a decorator must be declared before it has a value
  app.decorateRequest('checked', null as any)
  addRoutes(app, contract, deps)
  await registerPages(app)
  return app
}

/** Whatever fastify itself would tell of a request is told without its URL, which bears ids and filters. */
function loggerOf({ logLevel, log }: AppConfig) {
  if (logLevel === 'silent') return false
  const req = ({ method }: FastifyRequest) => ({ method })
  return { level: logLevel, stream: log ?? process.stderr, serializers: { req } }
}

function addRoutes(app: FastifyInstance, contract: Contract, deps: AppDeps): void {
  const add: AddRoute = (operationId, handler, { bodyLimit, contentTypes, jsonLimit } = {}) => {
    const operation = contract.operation(operationId)
    app.route({
      method: operation.method,
      url: operation.path.replace(/\{(\w+)\}/g, ':$1'),
      ...(bodyLimit !== undefined && { bodyLimit }),
      ...(jsonLimit !== undefined && { preParsing: jsonWithin(jsonLimit) }),
      config: { scope: operation.scope },
      onRequest: async (request) => {
        if (contentTypes !== undefined) checkContentType(request, contentTypes)
        checkParameters(contract, operation, request)
      },
      handler: (request, reply) => {
        request.deadline.throwIfAborted() // nothing is begun that nobody waits for
        return request.trace.run(() => handler(request, reply))
      },
    })
  }
  const context = { add, contract, deps }
  embeddingRoutes(context)
  similarityRoutes(context)
  headRoutes(context)
  collectionRoutes(context)
  itemRoutes(context)
  batchRoutes(context)
  importRoutes(context)
  jobRoutes(context)
  searchRoutes(context)
  uploadRoutes(context)
  serviceRoutes(context)
}

/** Before the body is read: a parser of another kind of body would read one of any length. */
function checkContentType(request: FastifyRequest, contentTypes: readonly string[]): void {
  if (contentTypes.includes(contentTypeOf(request))) return
  const known = contentTypes.map((each) => `\`${each}\``).join(' or ')
  throw new HttpProblem('unsupported-media-type', `This route takes ${known}.`)
}

function contentTypeOf({ headers }: FastifyRequest): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

/** JSON is read as a whole, so that it may not be of any length where lines may. */
function jsonWithin(maxBytes: number): preParsingAsyncHookHandler {
  return async (request, _reply, payload) => {
    if (contentTypeOf(request) !== 'application/json') return payload
    const tooLarge = new HttpProblem('payload-too-large', `JSON may have ${maxBytes} bytes; send more as NDJSON.`)
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge
    let bytes = 0
    const counted = new Transform({
      transform(chunk, _encoding, done) {
        bytes += chunk.length
        if (bytes > maxBytes) done(tooLarge)
        else done(null, chunk)
      },
    })
    return payload.pipe(counted)
  }
}

function checkParameters(contract: Contract, operation: Operation, request: FastifyRequest): void {
  request.checked = contract.checkParameters(operation, {
    path: request.params as Record<string, unknown>,
    query: request.query as Record<string, unknown>,
    header: request.headers,
  })
}

/** A body that says it is too large is refused before it is sent; forms, too, which have limits of their own after that. */
function registerSizeCheck(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    const { bodyLimit } = request.routeOptions
    if (Number(request.headers['content-length'] ?? 0) <= bodyLimit) return
    throw new HttpProblem('payload-too-large', `The body is larger than the ${bodyLimit} bytes this service takes.`)
  })
}

/** Of those that are held in memory as a whole. */
function longestBody({ maxRequestBytes, maxUploadBytes }: Limits): number {
  return Math.max(maxRequestBytes, maxUploadBytes)
}

function formLimits({ maxRequestBytes, maxTexts, maxInputs, maxTextChars, maxMetadataBytes }: Limits) {
  return {
    fileSize: maxRequestBytes,
    files: maxInputs + 1,
    fieldSize: 4 * Math.max(maxTextChars, maxMetadataBytes),
    fieldNameSize: 100,
    parts: maxTexts + SPARE_FORM_PARTS,
    headerPairs: 32,
  }
}

/** What is no HTTP at all (or too long a header) never becomes a request; it is answered on the socket, and hung up on. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const id = randomUUID()
  const { problem } = problemOf(new HttpProblem('invalid-request', 'This is no HTTP request.'), { id, path: '/' })
  const body = JSON.stringify(problem)
  const head = [
    'HTTP/1.1 400 Bad Request',
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${id}`,
    'server-timing: total;dur=0',
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** Errors before routing (a path that cannot be decoded) run no hooks, so the headers are set by hand. */
function bearIdentity(request: FastifyRequest, reply: FastifyReply, error: unknown): void {
  reply.header('x-request-id', request.id)
  reply.header('server-timing', 'total;dur=0')
  sendProblem(error, request, reply)
}
