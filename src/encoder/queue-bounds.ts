/** How much work an encoder takes on, by modality; for heads in bytes. */
import type { Modality } from '../modality.ts'

/** Most inputs of one batch. */
export const MAX_BATCH: Record<Modality, number> = { text: 32, image: 8, audio: 4 }
/** Accepted and unfinished: seven full requests of 2,048 texts; 0.5 gigapixels (1.5 GB); one hour at 16 kHz (230 MB). */
export const MAX_COST: Record<Modality, number> = { text: 1 << 20, image: 500_000_000, audio: 3600 * 16_000 }
/** Inputs of heads that are accepted and unfinished, in bytes. */
export const MAX_HEAD_BYTES = 1_500_000_000
