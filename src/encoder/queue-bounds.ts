/** How much work an encoder takes on, by modality; for heads in bytes. */
import type { Modality } from '../modality.ts'

/** Most inputs of one batch, whatever they cost. */
export const MAX_BATCH: Record<Modality, number> = { text: 64, image: 16, audio: 16 }
/**
 * Most positions of one batch, those of a single input aside: two pictures of 256 × 256. Measured on 2 cores: 256 positions reach 95 % of
 * the rate of any larger batch, and what is larger only makes others wait longer.
 */
export const MAX_BATCH_POSITIONS = 520
/** Accepted and unfinished: seven full requests of 2,048 texts; 0.5 gigapixels (1.5 GB); one hour at 16 kHz (230 MB). */
export const MAX_COST: Record<Modality, number> = { text: 1 << 20, image: 500_000_000, audio: 3600 * 16_000 }
/** Inputs of heads that are accepted and unfinished, in bytes. */
export const MAX_HEAD_BYTES = 1_500_000_000
