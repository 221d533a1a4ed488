/** Qdrant: quantisation is a collection's own setting; here it is made what `QDRANT_QUANTIZATION` says, whenever that changes. */
import type { Migration } from '../maintenance.ts'
import type { QdrantCatalog } from '../qdrant-catalog.ts'
import { isQuantized } from '../qdrant-quantization.ts'
import { type QdrantServer, undefinedIfGone } from '../qdrant-server.ts'

export function quantization(server: QdrantServer, catalog: QdrantCatalog): Migration {
  return {
    id: '0003-quantization',
    title: `set quantisation to ${server.quantization} (QDRANT_QUANTIZATION)`,
    pending: () =>
      catalog.those(async (name) => !isQuantized((await server.info(name)).quantization, server.quantization)),
    apply: async (name) => {
      await undefinedIfGone(async () => server.quantize(await catalog.collectionOf(name)))
    },
  }
}
