/** What the page reads of an OpenAPI 3.1 document. */

export interface Schema {
  $ref?: string
  title?: string
  description?: string
  type?: string
  const?: unknown
  enum?: unknown[]
  default?: unknown
  pattern?: string
  format?: string
  contentMediaType?: string
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  required?: string[]
  properties?: Record<string, Schema>
  items?: Schema
  oneOf?: Schema[]
}

export interface Parameter {
  $ref?: string
  name: string
  in: string
  required?: boolean
  description?: string
  schema: Schema
}

interface Media {
  schema: Schema
  examples?: Record<string, { value: unknown }>
}

export interface Operation {
  operationId: string
  tags: string[]
  summary: string
  description: string
  parameters?: Parameter[]
  security?: { bearer?: string[] }[]
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { $ref?: string; description?: string; content?: Record<string, Media> }>
}

export interface Contract {
  info: { title: string; version: string; summary: string; description: string }
  tags: { name: string; description: string }[]
  paths: Record<string, Record<string, Operation>>
  components: Record<string, Record<string, unknown>>
}

export interface Described {
  method: string
  path: string
  operation: Operation
}

export function operationsOf({ paths }: Contract): Described[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
}

/** Follows a reference, if it is one; what stands beside the reference wins. */
export function resolved<T extends { $ref?: string }>(contract: Contract, node: T): T {
  if (node.$ref === undefined) return node
  const steps = node.$ref.replace(/^#\//, '').split('/')
  const found = steps.reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], contract)
  const { $ref: _, ...beside } = node
  return { ...(found as T), ...beside }
}

/** `string`, `string[]`, `"text"`, `a text | a part`. */
export function typeOf(contract: Contract, schema: Schema): string {
  const { type, items, oneOf, title, ...rest } = resolved(contract, schema)
  if (rest.const !== undefined) return JSON.stringify(rest.const)
  if (rest.enum) return rest.enum.map((value) => JSON.stringify(value)).join(' | ')
  if (oneOf) return oneOf.map((one) => resolved(contract, one).title ?? typeOf(contract, one)).join(' | ')
  if (rest.contentMediaType) return 'file'
  if (type === 'array' && items) return `${bracketed(typeOf(contract, items))}[]`
  return title ?? type ?? 'anything'
}

const bracketed = (text: string) => (text.includes(' | ') ? `(${text})` : text)

/** What else must hold, in words. */
export function boundsOf({
  default: preset,
  minimum,
  maximum,
  minLength,
  maxLength,
  minItems,
  maxItems,
  pattern,
}: Schema): string[] {
  const between = (what: string, low?: number, high?: number) =>
    low === undefined && high === undefined
      ? []
      : [
          `${what} ${low ?? ''}${low === undefined ? 'up to ' : high === undefined ? ' or more' : '–'}${high ?? ''}`.trim(),
        ]
  return [
    ...(preset === undefined ? [] : [`default ${JSON.stringify(preset)}`]),
    ...between('', minimum, maximum),
    ...between('length', minLength, maxLength),
    ...between('items', minItems, maxItems),
    ...(pattern === undefined ? [] : [`pattern ${pattern}`]),
  ]
}
