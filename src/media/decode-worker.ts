/**
 * Worker thread that decodes sounds for `MediaDecoder`. Errors travel as plain objects, since an error's `code` does not
 * survive the way between threads; samples are moved, not copied.
 */

import { move, transferableSymbol, valueSymbol } from 'piscina'
import { DomainError, type ErrorCode } from '../errors.ts'
import { MEDIA_NICE, standBack } from '../processor.ts'
import { type DecodeAudioOptions, type DecodedAudio, decodeAudio } from './audio.ts'

export interface DecodeTask extends DecodeAudioOptions {
  bytes: Uint8Array
}

export type DecodeReply = { ok: true; audio: DecodedAudio } | { ok: false; code: ErrorCode; message: string }

standBack(MEDIA_NICE)

// The codecs report damage on the console, and reject promises nobody waits for, in addition to what they throw.
for (const method of ['log', 'warn', 'error'] as const) console[method] = () => {}
process.on('unhandledRejection', () => {})

export default async function decodeInWorker({ bytes, ...options }: DecodeTask): Promise<unknown> {
  try {
    const audio = await decodeAudio(bytes, options)
    return moving(
      { ok: true, audio },
      audio.channels.map((samples) => samples.buffer),
    )
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    return { ok: false, code: error.code, message: error.message } satisfies DecodeReply
  }
}

/** Tells piscina which buffers to move. */
const moving = (value: DecodeReply, buffers: ArrayBufferLike[]): unknown =>
  move({ [transferableSymbol]: buffers, [valueSymbol]: value })
