/**
 * The body of a request, JSON or form, checked against the contract. A form becomes the same kind of object that JSON
 * would be: fields of arrays may be repeated, numbers and objects are written as JSON, files stand aside as bytes.
 */
import { Readable } from 'node:stream'
import type { MultipartFile, MultipartValue } from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import type { Content, ContentPart } from '../services/content.ts'
import { type Contract, invalid, parseScalar, type Schema, type Schemas } from './openapi.ts'
import { HttpProblem } from './problems.ts'

/** A text or file of a form, in the order of the body. */
export type FormPart = { name: string } & ({ kind: 'text'; text: string } | { kind: 'media'; bytes: Uint8Array })

export type Body<J extends keyof Schemas, F extends keyof Schemas> =
  | { kind: 'json'; json: Schemas[J] }
  | { kind: 'form'; form: Schemas[F]; parts: FormPart[] }

/** @throws HttpProblem `invalid-request`, `payload-too-large`, `unsupported-media-type` */
export async function readBody<J extends keyof Schemas, F extends keyof Schemas>(
  request: FastifyRequest,
  contract: Contract,
  json: J,
  form: F,
): Promise<Body<J, F>> {
  if (!request.isMultipart()) return { kind: 'json', json: readJson(request, contract, json) }
  const parts = await readParts(request)
  return { kind: 'form', form: contract.check(form, formObject(contract, form, parts)), parts }
}

/** @throws HttpProblem `invalid-request`, `unsupported-media-type` */
export function readJson<J extends keyof Schemas>(request: FastifyRequest, contract: Contract, json: J): Schemas[J] {
  if (request.body === undefined || request.isMultipart() || request.body instanceof Readable) {
    if (request.headers['content-type'] === undefined) throw invalid('The request has no body; send JSON.')
    throw new HttpProblem('unsupported-media-type', 'This route takes `application/json`.')
  }
  return contract.check(json, request.body)
}

/** The parts of the given names as parts of one content, in the order of the body. */
export function partsNamed(parts: readonly FormPart[], names: readonly string[]): ContentPart[] {
  const named = parts.filter((part) => names.includes(part.name))
  return named.map((part) =>
    part.kind === 'text'
      ? { kind: 'text', text: part.text, weight: 1 }
      : { kind: 'media', bytes: part.bytes, weight: 1 },
  )
}

/** As `partsNamed`, each a content of its own. */
export function contentsNamed(parts: readonly FormPart[], names: readonly string[]): Content[] {
  return partsNamed(parts, names).map((part) => [part])
}

async function readParts(request: FastifyRequest): Promise<FormPart[]> {
  const parts: FormPart[] = []
  let bytesLeft = request.routeOptions.bodyLimit
  try {
    for await (const part of request.parts()) {
      const read = part.type === 'file' ? await readFile(part) : readField(part)
      bytesLeft -= read.kind === 'media' ? read.bytes.length : Buffer.byteLength(read.text)
      if (bytesLeft < 0) throw tooLarge('The form is larger than this service takes.')
      parts.push(read)
    }
  } catch (error) {
    throw asProblem(error)
  }
  return parts
}

async function readFile(part: MultipartFile): Promise<FormPart> {
  return { name: part.fieldname, kind: 'media', bytes: await part.toBuffer() }
}

function readField(part: MultipartValue): FormPart {
  if (part.fieldnameTruncated || part.valueTruncated) throw tooLarge(`The field '${part.fieldname}' is too long.`)
  // A field that calls itself JSON arrives parsed.
  const text = typeof part.value === 'string' ? part.value : JSON.stringify(part.value)
  return { name: part.fieldname, kind: 'text', text }
}

function tooLarge(message: string): HttpProblem {
  return new HttpProblem('payload-too-large', message)
}

/** What the parser of forms finds wrong is the client's doing; it has no type of its own to tell it by. */
function asProblem(error: unknown): unknown {
  if (error instanceof HttpProblem) return error
  const { statusCode, message } = error as { statusCode?: number; message: string }
  if (statusCode === 413) return tooLarge('The form has too many or too large parts; `/v1/models` states the limits.')
  return invalid(`The form cannot be read: ${message}.`)
}

function formObject(contract: Contract, name: keyof Schemas, parts: readonly FormPart[]): Record<string, unknown> {
  const { properties = {} } = contract.schema(name)
  // No prototype: a field may be called anything.
  const form: Record<string, unknown> = Object.create(null)
  for (const part of parts) {
    const schema = Object.hasOwn(properties, part.name) ? contract.resolve(properties[part.name]!) : {}
    const isFile = schema.items ? contract.resolve(schema.items).contentMediaType !== undefined : false
    if (isFile !== (part.kind === 'media') && schema.type !== undefined && !['a', 'b'].includes(part.name)) {
      throw wrongField(part.name, isFile ? 'must be a file, with a file name' : 'must be a plain field, not a file')
    }
    const value = part.kind === 'media' ? '' : fieldValue(contract, schema, part)
    if (schema.type === 'array') form[part.name] = [...((form[part.name] as unknown[]) ?? []), value]
    else if (part.name in form) throw wrongField(part.name, 'must be given once')
    else form[part.name] = value
  }
  return form
}

function fieldValue(contract: Contract, schema: Schema, part: FormPart & { kind: 'text' }): unknown {
  if (schema.type === 'array') return parseScalar(contract.resolve(schema.items ?? {}), part.text)
  if (schema.type !== 'object') return parseScalar(schema, part.text)
  try {
    return JSON.parse(part.text)
  } catch {
    throw wrongField(part.name, 'must be a JSON object')
  }
}

function wrongField(name: string, detail: string): HttpProblem {
  return invalid('The form does not match the contract.', [{ pointer: `/${name}`, detail }])
}
