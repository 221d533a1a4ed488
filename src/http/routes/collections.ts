/** `/v1/collections` and `/v1/collections/{collection}`. */

import type { FastifyRequest } from 'fastify'
import { readJson } from '../body.ts'
import type { Schemas } from '../openapi.ts'
import type { RouteContext, TenantServices } from '../route.ts'
import { markReplay, writeKeyOf } from '../write-key.ts'

type Collection = Awaited<ReturnType<TenantServices['collections']['get']>>

export function collectionRoutes({ add, contract, deps }: RouteContext): void {
  const collections = ({ caller }: FastifyRequest) => deps.forTenant(caller.tenant).collections
  add('createCollection', async (request, reply) => {
    const json = readJson(request, contract, 'CollectionRequest')
    const key = await writeKeyOf(request, { kind: 'json', json })
    const { answer, isReplay } = await deps.writeOnce.run(key, async (attempt) =>
      collectionBody(await collections(request).create(json.name, json.metadata, attempt)),
    )
    return markReplay(reply, isReplay).code(201).header('location', `/v1/collections/${json.name}`).send(answer)
  })
  add('listCollections', async (request): Promise<Schemas['CollectionList']> => {
    return { collections: (await collections(request).list()).map(collectionBody) }
  })
  add('getCollection', async (request) =>
    collectionBody(await collections(request).get(String(request.checked.collection))),
  )
  add('deleteCollection', async (request, reply) => {
    await collections(request).delete(String(request.checked.collection))
    return reply.code(204).send()
  })
}

function collectionBody(collection: Collection): Schemas['Collection'] {
  const { name, model, embedDim, itemCount, metadata, createdAt } = collection
  return { name, model, dims: embedDim, items: itemCount, metadata, created_at: createdAt }
}
