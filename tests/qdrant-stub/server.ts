/** A Qdrant in memory over HTTP. What it proves and what not: README.md beside this file. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Refused, StubCollection } from './collections.ts'
import { openApiFile, RequestChecker } from './openapi.ts'

type Json = Record<string, unknown>

/**
 * What the next request meets: an answer of that status, nothing, a broken connection before it is done, or only after, no
 * answer at all, or an answer of 429 that asks for a second's patience.
 */
export type Fault = number | 'none' | 'dropped' | 'done-but-dropped' | 'silent' | 'busy'

export interface QdrantStub {
  url: string
  /** Whether Qdrant's OpenAPI was there to hold requests against. */
  validates: boolean
  /** What was wrong with the requests so far. */
  violations: string[]
  requests: number
  /** Points that were given another vector so far. */
  updatedVectors: number
  /** Path of the last request. */
  lastPath: string
  /** Each is met by one request. */
  faults: Fault[]
  close(): Promise<void>
}

interface StubOptions {
  /** Asked of each request. */
  apiKey?: string
  version?: string
}

export async function startQdrantStub({ apiKey, version = '1.18.2' }: StubOptions = {}): Promise<QdrantStub> {
  const file = openApiFile()
  const checker = file === undefined ? undefined : new RequestChecker(file)
  const state: State = { collections: new Map(), aliases: new Map() }
  const stub = {
    violations: [] as string[],
    faults: [] as Fault[],
    requests: 0,
    updatedVectors: 0,
    lastPath: '',
    validates: checker !== undefined,
  }
  const server = createServer(async (request, response) => {
    stub.requests++
    const fault = stub.faults.shift()
    if (fault === 'dropped') return void request.socket.destroy()
    if (fault === 'silent') return
    if (fault === 'busy') return void response.writeHead(429, { 'retry-after': '1' }).end('{}')
    const url = new URL(request.url!, 'http://stub')
    stub.lastPath = url.pathname
    const body = await bodyOf(request)
    const wrong = checker?.check(request.method!, url, body)
    if (wrong !== undefined) stub.violations.push(wrong)
    const [status, answer] =
      apiKey !== undefined && request.headers['api-key'] !== apiKey
        ? [401, { status: { error: 'Must provide an API key' } }]
        : typeof fault === 'number'
          ? [fault, { status: { error: 'fault' } }]
          : wrong === undefined
            ? url.pathname === '/'
              ? [200, { title: 'qdrant - vector search engine', version }]
              : answerTo(state, request.method!, url.pathname, (body ?? {}) as Json)
            : [400, { status: { error: wrong } }]
    stub.updatedVectors += updatedIn(body)
    if (fault === 'done-but-dropped') return void request.socket.destroy()
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(stub, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : undefined
}

function updatedIn(body: unknown): number {
  const { operations = [] } = (body ?? {}) as { operations?: { update_vectors?: { points: unknown[] } }[] }
  return operations.reduce((sum, { update_vectors }) => sum + (update_vectors?.points.length ?? 0), 0)
}

interface State {
  collections: Map<string, StubCollection>
  aliases: Map<string, string>
}

function answerTo(state: State, method: string, path: string, body: Json): [number, Json] {
  try {
    return [200, { result: resultOf(state, method, path, body), status: 'ok', time: 0 }]
  } catch (error) {
    const status = error instanceof Refused ? error.status : 500
    return [status, { status: { error: String(error) }, time: 0 }]
  }
}

function resultOf(state: State, method: string, path: string, body: Json): unknown {
  const [, , encoded = '', ...rest] = path.split('/')
  const name = decodeURIComponent(encoded)
  const operation = `${method} ${rest.join('/')}`
  if (path === '/collections') return { collections: [...state.collections.keys()].map((each) => ({ name: each })) }
  if (path === '/collections/aliases') return changeAliases(state, body)
  if (path === '/aliases')
    return { aliases: [...state.aliases].map(([alias_name, collection_name]) => ({ alias_name, collection_name })) }
  if (operation === 'PUT ') return create(state, name, body)
  if (operation === 'DELETE ') return remove(state, name)
  // As a careful reader of the documentation would have it: what changes a collection itself is not asked by an alias.
  const changesCollection = method === 'PATCH' || rest[0] === 'vectors'
  const collection = state.collections.get(changesCollection ? name : (state.aliases.get(name) ?? name))
  if (collection === undefined) throw new Refused(404, `Not found: Collection \`${name}\` doesn't exist!`)
  return resultOn(collection, operation, body)
}

const DONE = { status: 'completed', operation_id: 0 }

function resultOn(collection: StubCollection, operation: string, body: Json): unknown {
  const [verb, vector] = operation.split(' vectors/')
  if (vector !== undefined) {
    if (verb === 'PUT') collection.addVector(vector, body)
    else collection.dropVector(vector)
    return DONE
  }
  switch (operation) {
    case 'GET ':
      return collection.info()
    case 'PATCH ':
      return collection.patch(body)
    case 'PUT index':
      collection.index(body)
      return DONE
    case 'POST points':
      return collection.retrieve(body)
    case 'POST points/batch':
      collection.update(body.operations as Json[])
      return [DONE]
    case 'POST points/scroll':
      return collection.scroll(body)
    case 'POST points/count':
      return collection.count(body)
    case 'POST points/query':
      return collection.query(body)
    default:
      throw new Refused(404, `the stub knows no ${operation}`)
  }
}

function create({ collections, aliases }: State, name: string, body: Json): boolean {
  if (collections.has(name) || aliases.has(name))
    throw new Refused(409, `Wrong input: Collection \`${name}\` already exists!`)
  collections.set(name, new StubCollection(body))
  return true
}

function remove({ collections, aliases }: State, name: string): boolean {
  for (const [alias, target] of aliases) if (target === name) aliases.delete(alias)
  return collections.delete(name)
}

function changeAliases({ collections, aliases }: State, { actions }: Json): boolean {
  for (const { create_alias } of actions as Json[]) {
    const { alias_name, collection_name } = create_alias as { alias_name: string; collection_name: string }
    if (collections.has(alias_name)) throw new Refused(409, `Wrong input: Collection \`${alias_name}\` already exists!`)
    if (!collections.has(collection_name))
      throw new Refused(404, `Not found: Collection \`${collection_name}\` doesn't exist!`)
    aliases.set(alias_name, collection_name)
  }
  return true
}
