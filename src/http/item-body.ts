/** An item as the contract writes it. */
import type { Item } from '../services/index-items.ts'
import type { Schemas } from './openapi.ts'

/** Path of an item's original. */
export function mediaUrlOf(collection: string, id: string): string {
  return `${itemUrlOf(collection, id)}/media`
}

export function itemUrlOf(collection: string, id: string): string {
  return `/v1/collections/${collection}/items/${encodeURIComponent(id)}`
}

export function itemBody(collection: string, item: Item): Schemas['Item'] {
  const { id, modality, sha256, bytes, media, truncated, segments, metadata, createdAt } = item
  return {
    id,
    modality,
    sha256,
    bytes,
    media: mediaBody(media),
    truncated,
    ...(segments.length > 0 && {
      segments: segments.map(({ startMs, endMs }) => ({ start_ms: startMs, end_ms: endMs })),
    }),
    metadata,
    created_at: createdAt,
    media_url: mediaUrlOf(collection, id),
  }
}

function mediaBody({ mimeType, format, ...more }: Item['media']): Schemas['Media'] {
  return {
    mime_type: mimeType,
    format,
    ...(more.width !== undefined && { width: more.width }),
    ...(more.height !== undefined && { height: more.height }),
    ...(more.durationMs !== undefined && { duration_ms: more.durationMs }),
    ...(more.sampleRateHz !== undefined && { sample_rate_hz: more.sampleRateHz }),
    ...(more.channels !== undefined && { channels: more.channels }),
  }
}
