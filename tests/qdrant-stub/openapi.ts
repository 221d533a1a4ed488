/**
 * Requests against Qdrant's own OpenAPI: which operation a path is, and whether a body is one that it takes. Fields the
 * document does not name are refused too, which Qdrant itself would often let pass.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Ajv, type ValidateFunction } from 'ajv'

const PRESET = fileURLToPath(new URL('../../../shared/reference/qdrant/openapi.json', import.meta.url))

/** Where the document lies, if it lies anywhere. */
export function openApiFile(): string | undefined {
  const named = process.env.ONEPEACE_QDRANT_OPENAPI
  if (named && !existsSync(named)) throw new Error(`ONEPEACE_QDRANT_OPENAPI names no file: ${named}`)
  return named || (existsSync(PRESET) ? PRESET : undefined)
}

type Json = Record<string, unknown>

interface Operation {
  method: string
  pattern: RegExp
  parameters: Set<string>
  body: ValidateFunction | undefined
}

export class RequestChecker {
  readonly #operations: Operation[] = []

  constructor(file: string) {
    const document = closed(JSON.parse(readFileSync(file, 'utf8'))) as { components: Json; paths: Json }
    const bodies: Json = {}
    const found: [key: string, method: string, path: string, parameters: Set<string>][] = []
    for (const [path, item] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(item as Json)) {
        const { requestBody, parameters = [] } = operation as { requestBody?: Json; parameters?: Json[] }
        const schema = (requestBody as { content?: Record<string, Json> })?.content?.['application/json']?.schema
        const key = `o${found.length}`
        if (schema) bodies[key] = schema
        const queries = parameters.filter((each) => each.in === 'query').map(({ name }) => String(name))
        found.push([key, method.toUpperCase(), path, new Set(queries)])
      }
    }
    const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: false })
    ajv.addSchema({ $id: 'qdrant', components: document.components, bodies })
    for (const [key, method, path, parameters] of found) {
      const pattern = new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`)
      let compiled: ValidateFunction | undefined
      // Compiled at first use: the document has many operations, we ask for few.
      const body = key in bodies ? () => (compiled ??= ajv.getSchema(`qdrant#/bodies/${key}`)) : () => undefined
      this.#operations.push({
        method,
        pattern,
        parameters,
        get body() {
          return body()
        },
      })
    }
  }

  /** @returns what is wrong with the request, if anything */
  check(method: string, url: URL, body: unknown): string | undefined {
    const at = `${method} ${url.pathname}`
    const operation = this.#operations.find((each) => each.method === method && each.pattern.test(url.pathname))
    if (operation === undefined) return `${at}: no such operation`
    const stray = [...url.searchParams.keys()].find((name) => !operation.parameters.has(name))
    if (stray !== undefined) return `${at}: no such parameter '${stray}'`
    const takes = operation.body
    if (takes === undefined) return body === undefined ? undefined : `${at}: takes no body`
    if (takes(body)) return undefined
    const errors = (takes.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
    return `${at}: ${errors.join('; ')}`
  }
}

/** OpenAPI 3.0 → JSON Schema: a bare `nullable` is null itself, and objects take only the fields they name. */
function closed(value: unknown, inAllOf = false): unknown {
  if (Array.isArray(value)) return value.map((each) => closed(each, inAllOf))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value)
  if (members.length === 1 && 'nullable' in value) return { type: 'null' }
  const result: Json = Object.fromEntries(members.map(([key, member]) => [key, closed(member, key === 'allOf')]))
  const isObject = result.type === 'object' && 'properties' in result && !('allOf' in result)
  if (isObject && !inAllOf && !('additionalProperties' in result)) result.additionalProperties = false
  return result
}
