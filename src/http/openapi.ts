/**
 * The contract at work: openapi.yaml as it stands, compiled to validators. Nothing is coerced in bodies; parameters, which
 * arrive as strings, become numbers only where they are written as such.
 *
 * One liberty is taken, for the sake of the messages: `oneOf` of contents is compiled as a chain of if/then/else on what
 * tells the alternatives apart, so that a wrong field is reported where it is, not as "matches none of seven schemas".
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { isScope, type Scope } from '../auth/keys.ts'
import type { ErrorDetail } from '../errors.ts'
import type { components } from './contract.d.ts'
import { HttpProblem } from './problems.ts'

export type Schemas = components['schemas']

export interface Schema {
  $ref?: string
  type?: string
  title?: string
  const?: unknown
  required?: string[]
  properties?: Record<string, Schema>
  oneOf?: Schema[]
  items?: Schema
  [keyword: string]: unknown
}

export interface Parameter {
  name: string
  in: 'path' | 'query' | 'header'
  required?: boolean
  schema: Schema
}

export interface Operation {
  operationId: string
  method: string
  /** With `{name}` for parameters. */
  path: string
  parameters: Parameter[]
  /** What a key must be made for to call it; none for what is open to anyone. */
  scope: Scope | undefined
}

/** An operation as it is written. */
interface OperationObject {
  operationId: string
  parameters?: (Parameter | { $ref: string })[]
  security?: { bearer?: string[] }[]
}

interface Document {
  paths: Record<string, Record<string, OperationObject>>
  components: Record<string, Record<string, unknown>>
}

const CONTRACT_FILE = new URL('../../openapi/openapi.yaml', import.meta.url)
/** The same as JSON, made when the project is built: reading YAML takes a tenth of a service's start. */
const BUILT_FILE = new URL('../openapi.json', import.meta.url)
const require = createRequire(import.meta.url)
const ID = 'contract'

export class Contract {
  /** The document, for `/openapi.json`. */
  readonly document: Record<string, unknown>
  readonly operations: readonly Operation[]
  readonly #ajv: Ajv2020
  readonly #parameters = new Map<Parameter, ValidateFunction>()

  constructor() {
    this.document = readContract()
    this.#ajv = new Ajv2020({
      allErrors: true,
      verbose: true,
      strict: true,
      strictRequired: false,
      formats: { 'date-time': true },
    })
    this.#ajv.addVocabulary(['components'])
    this.#ajv.addKeyword({ keyword: 'noneOf', errors: false, validate: () => false })
    const { paths, components } = this.document as unknown as Document
    this.#ajv.addSchema({ $id: ID, components: explainable(components, components.schemas as SchemasByName) }, ID)
    this.operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId, parameters = [], security = [] }]) => ({
        operationId,
        method: method.toUpperCase(),
        path,
        scope: security.flatMap(({ bearer = [] }) => bearer).find(isScope),
        parameters: parameters.map((parameter) => this.#resolve(parameter as { $ref?: string }) as Parameter),
      })),
    )
  }

  operation(operationId: string): Operation {
    const found = this.operations.find((operation) => operation.operationId === operationId)
    if (found === undefined) throw new Error(`The contract has no operation ${operationId}.`)
    return found
  }

  /** A schema of the contract by name, references followed. */
  schema(name: keyof Schemas): Schema {
    return this.#resolve({ $ref: `#/components/schemas/${name}` }) as Schema
  }

  /** Follows a reference, if it is one. */
  resolve(schema: Schema): Schema {
    return this.#resolve(schema) as Schema
  }

  /** @returns the value as what it has been found to be. @throws HttpProblem `invalid-request` with every finding */
  check<K extends keyof Schemas>(name: K, value: unknown): Schemas[K] {
    const validate = this.#ajv.getSchema(`${ID}#/components/schemas/${name}`)
    if (validate === undefined) throw new Error(`The contract has no schema ${name}.`)
    if (!validate(value)) throw invalid('The body does not match the contract.', findings(validate.errors))
    return value as Schemas[K]
  }

  /**
   * @param given all path and query parameters, and the headers, as strings
   * @returns those of the contract by name, numbers as numbers, defaults filled in
   * @throws HttpProblem `invalid-request` with every finding, unknown query parameters among them
   */
  checkParameters(
    operation: Operation,
    given: Record<Parameter['in'], Record<string, unknown>>,
  ): Record<string, string | number> {
    const values: Record<string, string | number> = {}
    const errors = unknownQuery(operation, given.query)
    for (const parameter of operation.parameters) {
      const text = given[parameter.in][parameter.name]
      const schema = this.resolve(parameter.schema)
      if (text === undefined) {
        if (schema.default !== undefined) values[parameter.name] = schema.default as string | number
        continue
      }
      const value = typeof text === 'string' ? parseScalar(schema, text) : text
      const validate = this.#parameter(parameter)
      if (validate(value)) values[parameter.name] = value as string | number
      else errors.push(...findings(validate.errors, `/${parameter.in}/${escapePointer(parameter.name)}`))
    }
    if (errors.length > 0) throw invalid('The parameters do not match the contract.', errors)
    return values
  }

  #parameter(parameter: Parameter): ValidateFunction {
    let validate = this.#parameters.get(parameter)
    if (validate === undefined) {
      const { $ref } = parameter.schema
      validate = this.#ajv.compile($ref ? { $ref: ID + $ref } : parameter.schema)
      this.#parameters.set(parameter, validate)
    }
    return validate
  }

  #resolve(value: { $ref?: string }): unknown {
    if (value.$ref === undefined) return value
    const steps = value.$ref.replace(/^#\//, '').split('/')
    return steps.reduce<unknown>((node, step) => (node as Record<string, unknown>)[step], this.document)
  }
}

function readContract(): Record<string, unknown> {
  if (existsSync(BUILT_FILE)) return JSON.parse(readFileSync(BUILT_FILE, 'utf8'))
  const { parse } = require('yaml') as typeof import('yaml')
  return parse(readFileSync(CONTRACT_FILE, 'utf8'))
}

/** A number where the schema wants one and the text is one, written plainly; else the text, which then fails the check. */
export function parseScalar(schema: Schema, text: string): string | number {
  if (schema.type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text)
  if (schema.type === 'number' && /^-?\d{1,15}(\.\d{1,20})?(e[+-]?\d{1,3})?$/i.test(text)) return Number(text)
  return text
}

export function invalid(message: string, errors?: ErrorDetail[]): HttpProblem {
  return new HttpProblem('invalid-request', message, errors && { errors })
}

function unknownQuery(operation: Operation, query: Record<string, unknown>): ErrorDetail[] {
  const known = operation.parameters.filter((parameter) => parameter.in === 'query').map((parameter) => parameter.name)
  const unknown = Object.keys(query).filter((name) => !known.includes(name))
  return unknown.map((name) => ({ pointer: `/query/${escapePointer(name)}`, detail: 'is not a known parameter' }))
}

function escapePointer(step: string): string {
  return step.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** How many findings a problem lists: enough to mend a request, too few to make the answer larger than it. */
const MAX_FINDINGS = 50

function findings(errors: ErrorObject[] | null | undefined, prefix = ''): ErrorDetail[] {
  return (errors ?? [])
    .filter((error) => error.keyword !== 'if')
    .slice(0, MAX_FINDINGS)
    .map((error) => finding(error, prefix))
}

function finding(error: ErrorObject, prefix: string): ErrorDetail {
  const at = prefix + error.instancePath
  const { params } = error as { params: Record<string, unknown> }
  switch (error.keyword) {
    case 'additionalProperties':
      return { pointer: `${at}/${escapePointer(String(params.additionalProperty))}`, detail: 'is not a known field' }
    case 'required':
      return { pointer: `${at}/${escapePointer(String(params.missingProperty))}`, detail: 'is missing' }
    case 'noneOf':
      return { pointer: at, detail: `must be one of: ${String(error.schema ?? error.parentSchema?.noneOf)}` }
    case 'enum':
      return { pointer: at, detail: `must be one of: ${(params.allowedValues as unknown[]).join(', ')}` }
    case 'const':
      return { pointer: at, detail: `must be ${JSON.stringify(params.allowedValue)}` }
    default:
      return { pointer: at, detail: error.message ?? 'is not valid' }
  }
}

type SchemasByName = Record<string, Schema>

/** A deep copy in which every `oneOf` has become a chain of if/then/else, ending in "none of these". */
function explainable<T>(node: T, schemas: SchemasByName): T {
  if (Array.isArray(node)) return node.map((each) => explainable(each, schemas)) as T
  if (node === null || typeof node !== 'object') return node
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, explainable(value, schemas)]))
  const { oneOf, ...others } = copy as Schema
  if (oneOf === undefined) return copy as T
  return { ...others, ...chain(oneOf, schemas) } as T
}

function chain(alternatives: readonly Schema[], schemas: SchemasByName): Schema {
  const titles = alternatives.map(
    (alternative) => follow(alternative, schemas).title ?? follow(alternative, schemas).type,
  )
  const leaf: Schema = { noneOf: titles.join(', ') }
  return alternatives.reduceRight<Schema>((rest, alternative) => {
    const sign = signOf(alternative, schemas)
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    return sign ? { if: sign, then: alternative, else: rest } : alternative
  }, leaf)
}

function follow(schema: Schema, schemas: SchemasByName): Schema {
  return schema.$ref === undefined ? schema : schemas[schema.$ref.split('/').at(-1)!]!
}

/** What tells an alternative from its siblings: its JSON type, a constant field, or the first field it needs. */
function signOf(alternative: Schema, schemas: SchemasByName): Schema | undefined {
  const { type, properties = {}, required = [], oneOf } = follow(alternative, schemas)
  if (oneOf !== undefined) return undefined
  if (type !== 'object') return { type: type! }
  const constant = Object.entries(properties).find(([, property]) => property.const !== undefined)
  const name = constant?.[0] ?? required[0]!
  const sign: Schema = { type: 'object', required: [name] }
  if (constant) sign.properties = { [name]: { const: constant[1].const } }
  return sign
}
