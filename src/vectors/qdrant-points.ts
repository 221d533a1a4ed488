/**
 * How items lie in Qdrant. The head, point 0, has an id made of the item's and bears all that an item is; the other windows of
 * a long sound are tails, whose ids are made of the head's write as well:
 *
 *   head   uuid(item id)            item_id point=0 write modality sha256 payload (JSON text) segments facts numbers
 *   tail   uuid(item id, write, n)  item_id point=n write modality start_ms end_ms facts numbers
 *
 * `write` is random for each write. An item is its head and the tails of the head's write; any other tail is of a write that
 * is not yet, no longer, or never became, the item. So one write of one point, the head, changes an item as a whole.
 */
import { createHash } from 'node:crypto'
import type { Modality } from '../modality.ts'
import { filterFieldsOf, type QdrantFilter } from './qdrant-filter.ts'
import type { Hit, ItemRecord, NewItem, Payload, Segment, StoredItem } from './store.ts'

/** Fields that only filters need. */
export const FILTER_FIELDS = ['facts', 'numbers']

export interface QdrantPoint {
  id: string
  /** By name. A point lacks those of a model that has not come to it yet. */
  vector: Record<string, number[]>
  payload: Record<string, unknown>
}

/** One change of points; those of a list happen in order, each whole. */
export type Operation =
  | { upsert: { points: QdrantPoint[]; update_mode?: 'insert_only' | 'update_only'; update_filter?: QdrantFilter } }
  | { update_vectors: { points: Omit<QdrantPoint, 'payload'>[]; update_filter: QdrantFilter } }
  | { delete: { points: string[] } | { filter: QdrantFilter } }

export interface Head {
  item_id: string
  point: 0
  write: string
  modality: Modality
  sha256: string
  payload: string
  /** One for each point, null for a point that stands for the whole item. */
  segments: ([startMs: number, endMs: number] | null)[]
}

export interface Tail {
  item_id: string
  point: number
  write: string
}

/** A point that a search found. */
export interface Scored {
  score: number
  payload: Head | Tail
  vector?: unknown
}

export const headId = (itemId: string): string => uuid(JSON.stringify([itemId]))

export function tailIds({ item_id, write, segments }: Pick<Head, 'item_id' | 'write' | 'segments'>): string[] {
  return segments.slice(1).map((_, i) => tailId(item_id, write, i + 1))
}

const tailId = (itemId: string, write: string, point: number): string => uuid(JSON.stringify([itemId, write, point]))

/** 128 bits of SHA-256 in the shape of a version 8 UUID (RFC 9562, 5.8). */
function uuid(name: string): string {
  const bytes = createHash('sha256').update(name).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** @param vectorName of the model that made the item's vectors */
export function pointsOf(
  item: NewItem,
  write: string,
  vectorName: string,
): { head: QdrantPoint; tails: QdrantPoint[] } {
  const common = { item_id: item.id, write, modality: item.modality, ...filterFieldsOf(item.payload.metadata) }
  const segments = item.points.map(({ segment }) => (segment ? [segment.startMs, segment.endMs] : null))
  const [first, ...others] = item.points
  const payload = JSON.stringify(item.payload)
  return {
    head: {
      id: headId(item.id),
      vector: { [vectorName]: Array.from(first!.vector) },
      payload: { ...common, point: 0, sha256: item.sha256, payload, segments },
    },
    tails: others.map(({ vector, segment }, i) => ({
      id: tailId(item.id, write, i + 1),
      vector: { [vectorName]: Array.from(vector) },
      payload: { ...common, point: i + 1, ...(segment && { start_ms: segment.startMs, end_ms: segment.endMs }) },
    })),
  }
}

function recordOf(head: Head): ItemRecord {
  const payload = JSON.parse(head.payload) as Payload
  return { id: head.item_id, modality: head.modality, sha256: head.sha256, payload }
}

export function itemOf(head: Head): StoredItem {
  const segments = head.segments.map((_, point) => segmentOf(head, point)).filter((segment) => segment !== undefined)
  return { ...recordOf(head), segments }
}

function segmentOf({ segments }: Head, point: number): Segment | undefined {
  const segment = segments[point]
  return segment ? { startMs: segment[0], endMs: segment[1] } : undefined
}

/** @param head of the item that the point is of */
export function hitOf(head: Head, { score, payload: { point }, vector }: Scored): Hit {
  const segment = segmentOf(head, point)
  return {
    ...recordOf(head),
    // Within -1 to 1 against rounding.
    score: Math.max(-1, Math.min(1, score)),
    ...(segment && { segment }),
    ...(vector !== undefined && vector !== null && { vector: vectorOf(vector) }),
  }
}

/** @param named vectors by name, of which only one was asked for */
export function vectorOf(named: unknown): Float32Array {
  return Float32Array.from(Object.values(named as Record<string, number[]>)[0]!)
}

/** A head that is the whole item needs no other point to be understood. */
export function isWhole(payload: Head | Tail): payload is Head {
  return payload.point === 0 && (payload as Head).segments.length === 1
}
