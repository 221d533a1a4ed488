/** `client.collections`: named sets of items. */
import type { components } from './contract.ts'
import { type RequestOptions, type Transport, type WriteOptions, writeKeyOf } from './transport.ts'

export type Collection = components['schemas']['Collection']
export type Metadata = components['schemas']['Metadata']

export class Collections {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** @throws ProblemError `conflict` if it exists */
  create(name: string, { metadata }: { metadata?: Metadata } = {}, request: WriteOptions = {}): Promise<Collection> {
    const key = { 'idempotency-key': writeKeyOf(request) }
    const body = { name, ...(metadata && { metadata }) }
    return this.#transport.send(request, ({ headers, ...init }) =>
      this.#transport.api.POST('/v1/collections', { body, headers: { ...headers, ...key }, ...init }),
    )
  }

  /** @throws ProblemError `not-found` */
  get(name: string, request: RequestOptions = {}): Promise<Collection> {
    const params = { path: { collection: name } }
    return this.#transport.send(request, (init) =>
      this.#transport.api.GET('/v1/collections/{collection}', { params, ...init }),
    )
  }

  /** All, in order of name. */
  async list(request: RequestOptions = {}): Promise<Collection[]> {
    const { collections } = await this.#transport.send(request, (init) =>
      this.#transport.api.GET('/v1/collections', init),
    )
    return collections
  }

  /** With everything in it. @throws ProblemError `not-found` */
  async delete(name: string, request: RequestOptions = {}): Promise<void> {
    const params = { path: { collection: name } }
    await this.#transport.send(request, (init) =>
      this.#transport.api.DELETE('/v1/collections/{collection}', { params, ...init }),
    )
  }
}
