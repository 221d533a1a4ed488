/** `call`: inject a request, and hold the response to the contract: status, headers, content type and body. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import { expect } from 'vitest'
import { Contract } from '../../src/http/openapi.ts'

const contract = new Contract()
const ajv = new Ajv2020({ strict: false, validateFormats: false })
ajv.addSchema(contract.document, 'doc')

type Responses = Record<string, { $ref?: string; content?: Record<string, { schema: object }> }>

export async function call(app: FastifyInstance, options: InjectOptions): Promise<LightMyRequestResponse> {
  const response = await app.inject(options)
  conforms(response, options)
  return response
}

function conforms(response: LightMyRequestResponse, { method = 'GET', url }: InjectOptions): unknown {
  expect(response.headers['x-request-id']).toBeTypeOf('string')
  expect(response.headers['server-timing']).toMatch(/^(\w+;dur=[\d.]+, )*total;dur=[\d.]+$/)
  const path = String(url).split('?')[0]!
  const type = String(response.headers['content-type'] ?? '').split(';')[0]!
  if (response.statusCode >= 400) expect(type).toBe('application/problem+json')
  const operation = contract.operations.find(
    (each) => each.method === method && new RegExp(`^${each.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
  )
  if (operation === undefined) {
    expect(response.statusCode).toBeGreaterThanOrEqual(400)
    return matches('doc#/components/schemas/Problem', response.json())
  }
  const paths = contract.document.paths as Record<string, Record<string, { responses: Responses }>>
  const { responses } = paths[operation.path]![method.toLowerCase()]!
  expect(Object.keys(responses), `${method} ${path} documents ${response.statusCode}`).toContain(
    String(response.statusCode),
  )
  if (response.statusCode >= 400) return matches('doc#/components/schemas/Problem', response.json())
  const content = responses[response.statusCode]!.content
  if (content?.[type] === undefined || type !== 'application/json') return undefined
  const pointer = `/paths/${operation.path.replaceAll('/', '~1')}/${method.toLowerCase()}/responses/${response.statusCode}`
  return matches(`doc#${encodeURI(pointer)}/content/application~1json/schema`, response.json())
}

function matches($ref: string, value: unknown): void {
  const validate = ajv.getSchema($ref) ?? ajv.compile({ $ref })
  expect(validate(value), JSON.stringify(validate.errors)).toBe(true)
}
