/**
 * How items lie in a Lance table: one row a point, everything but vector and segment repeated in each row of an item, so
 * that a filter or a hit needs no second look-up.
 *
 *   item_id | point | modality | sha256 | start_ms | end_ms | payload (JSON) | facts (facts.ts) | vector float32[D]
 *
 * (item_id, point) is unique; `point` counts from 0. What the collection itself is stands in the schema's metadata, so
 * that table and description come into being in one commit.
 */
import { Field, FixedSizeList, Float32, Int32, Schema, Utf8 } from 'apache-arrow'
import type { Modality } from '../modality.ts'
import { FACTS_VERSION, factsOf } from './facts.ts'
import type { Hit, ItemRecord, NewCollection, NewItem, Payload, Segment, StoredItem } from './store.ts'

const METADATA_KEY = 'onepeace.collection'
const FACTS_KEY = 'onepeace.facts'

export const ITEM_COLUMNS = ['item_id', 'point', 'modality', 'sha256', 'start_ms', 'end_ms', 'payload']

export interface Row {
  item_id: string
  point: number
  modality: Modality
  sha256: string
  start_ms: number | null
  end_ms: number | null
  payload: string
  facts?: string
  vector?: Iterable<number>
  _distance?: number
}

export function schemaOf(collection: NewCollection): Schema {
  const text = (name: string) => new Field(name, new Utf8(), false)
  const vector = new FixedSizeList(collection.embedDim, new Field('item', new Float32(), true))
  return new Schema(
    [
      text('item_id'),
      new Field('point', new Int32(), false),
      text('modality'),
      text('sha256'),
      new Field('start_ms', new Int32(), true),
      new Field('end_ms', new Int32(), true),
      text('payload'),
      text('facts'),
      new Field('vector', vector, false),
    ],
    new Map([
      [METADATA_KEY, JSON.stringify(collection)],
      [FACTS_KEY, String(FACTS_VERSION)],
    ]),
  )
}

export function collectionOf(schema: { metadata: Map<string, string> }): NewCollection {
  const json = schema.metadata.get(METADATA_KEY)
  if (json === undefined)
    throw new Error('The table bears no description of a collection; it was not made by onepeace.')
  return JSON.parse(json) as NewCollection
}

/** Which facts its rows have; 0 for none. */
export function factsVersionOf({ fields, metadata }: Pick<Schema, 'fields' | 'metadata'>): number {
  return fields.some(({ name }) => name === 'facts') ? Number(metadata.get(FACTS_KEY) ?? 1) : 0
}

export function rowsOf(item: NewItem): Record<string, unknown>[] {
  const payload = JSON.stringify(item.payload)
  const facts = factsOf(item.payload.metadata)
  return item.points.map(({ vector, segment }, point) => ({
    item_id: item.id,
    point,
    modality: item.modality,
    sha256: item.sha256,
    start_ms: segment?.startMs ?? null,
    end_ms: segment?.endMs ?? null,
    payload,
    facts,
    vector,
  }))
}

export const factsOfPayload = (payload: string): string => factsOf((JSON.parse(payload) as Payload).metadata)

function recordOf(row: Row): ItemRecord {
  const payload = JSON.parse(row.payload) as Payload
  return { id: row.item_id, modality: row.modality, sha256: row.sha256, payload }
}

function segmentOf(row: Row): Segment | undefined {
  if (row.start_ms === null || row.end_ms === null) return undefined
  return { startMs: row.start_ms, endMs: row.end_ms }
}

/** @param rows all rows of one item or of several, in any order; items come out in order of their first row */
export function itemsOf(rows: readonly Row[]): StoredItem[] {
  const byId = new Map<string, Row[]>()
  for (const row of rows) {
    const group = byId.get(row.item_id)
    if (group) group.push(row)
    else byId.set(row.item_id, [row])
  }
  return [...byId.values()].map((group) => {
    group.sort((a, b) => a.point - b.point)
    return { ...recordOf(group[0]!), segments: group.map(segmentOf).filter((segment) => segment !== undefined) }
  })
}

export function hitOf(row: Row): Hit {
  const segment = segmentOf(row)
  return {
    ...recordOf(row),
    score: scoreOf(row),
    ...(segment && { segment }),
    ...(row.vector && { vector: Float32Array.from(row.vector) }),
  }
}

/** Cosine from LanceDB's distance, 1 - cosine, kept within -1 to 1 against rounding. */
export function scoreOf(row: Row): number {
  return Math.max(-1, Math.min(1, 1 - (row._distance ?? 1)))
}

/** Order of UTF-8 bytes, which is the order of code points and LanceDB's own; JavaScript's `<` compares UTF-16 units. */
export function compareIds(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
