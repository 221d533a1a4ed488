/**
 * Checkpoints may carry the bucket tables they were trained with. They can be derived, and we derive them; a stored table
 * that differs means another architecture, and converting it silently would give wrong embeddings.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { ModelConfig } from '../model/config.ts'
import { imageBuckets, tokenBucketAt, tokenBuckets, tokenClsBuckets } from '../model/positions.ts'
import { TensorMismatchError } from '../model/tensors.ts'

type BucketAt = (query: number, key: number) => number

/** @throws TensorMismatchError naming every stored table that is not the derived one */
export async function checkStoredBuckets(checkpoint: Checkpoint, config: ModelConfig): Promise<void> {
  const wrong: string[] = []
  for (const [name, bucketAt] of derivedTables(config)) {
    if (checkpoint.tensors.has(name) && !(await matches(checkpoint, name, bucketAt))) wrong.push(name)
  }
  if (wrong.length > 0) {
    throw new TensorMismatchError(`Stored position buckets are not those of ONE-PEACE: ${wrong.join(', ')}.`)
  }
}

function derivedTables(config: ModelConfig): Map<string, BucketAt> {
  const tables = new Map<string, BucketAt>()
  for (const modality of ['text', 'audio'] as const) {
    const size = config[modality]?.bucketSize
    if (size === undefined) continue
    const [buckets, cls] = [tokenBuckets(size), tokenClsBuckets(size)]
    tables.set(`encoder_wrapper.${modality}_adapter.rp_bucket`, (q, k) => tokenBucketAt(buckets, cls, q, k))
  }
  if (config.image) {
    const r = config.image.storedRelBucketSize
    const buckets = imageBuckets(r)
    tables.set('encoder_wrapper.image_adapter.rp_bucket', (q, k) => buckets[q * (r * r + 1) + k]!)
  }
  return tables
}

async function matches(checkpoint: Checkpoint, name: string, bucketAt: BucketAt): Promise<boolean> {
  const { dtype, shape } = checkpoint.tensors.get(name)!
  const [rows, columns] = shape
  if (dtype !== 'int64' || shape.length !== 2 || rows !== columns) return false
  const raw = await checkpoint.readRaw(name)
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  for (let q = 0; q < rows!; q++) {
    for (let k = 0; k < rows!; k++) {
      if (Number(view.getBigInt64((q * rows! + k) * 8, true)) !== bucketAt(q, k)) return false
    }
  }
  return true
}
