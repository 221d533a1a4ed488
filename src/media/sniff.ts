/**
 * What kind of media a byte string is, told from the bytes only: never from a file name or a client's MIME type.
 * Text, HTML, SVG, PDF, archives and video containers without a known sound track are `undefined`, hence refused.
 */

export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'gif' | 'avif' | 'tiff'
export type AudioFormat = 'wav' | 'flac' | 'mp3' | 'ogg' | 'opus' | 'm4a' | 'aac' | 'aiff' | 'webm'

export type MediaKind =
  | { modality: 'image'; format: ImageFormat; mimeType: string }
  | { modality: 'audio'; format: AudioFormat; mimeType: string }

/** @returns the kind, or `undefined` when the bytes are none of the formats we decode. Never throws. */
export function sniffMedia(_bytes: Uint8Array): MediaKind | undefined {
  throw new Error('not written yet')
}
