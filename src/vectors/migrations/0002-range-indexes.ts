/** Qdrant: collections from before get the indexes that they lack; new ones are born with all. Ranges had none at first. */
import type { Migration } from '../maintenance.ts'
import { INDEXES, type QdrantCatalog } from '../qdrant-catalog.ts'
import { type QdrantServer, undefinedIfGone } from '../qdrant-server.ts'

export function rangeIndexes(server: QdrantServer, catalog: QdrantCatalog): Migration {
  const lacking = async (name: string) => {
    const { indexes } = await server.info(name)
    return INDEXES.filter(([field]) => indexes[field] === undefined)
  }
  return {
    id: '0002-range-indexes',
    title: 'index what filters ask for, ranges of numbers included',
    pending: () => catalog.those(async (name) => (await lacking(name)).length > 0),
    apply: async (name) => {
      await undefinedIfGone(async () => {
        const collection = await catalog.collectionOf(name)
        for (const [field, schema] of await lacking(name)) await server.index(collection, field, schema)
      })
    },
  }
}
