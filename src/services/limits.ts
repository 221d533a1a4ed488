/** What one request may ask for. Stated in the contract with these defaults, shown at `/v1/models`, set in `config.ts`. */

export interface Limits {
  /** Body of a request, all parts together. */
  maxRequestBytes: number
  /** Inputs of a request when any of them is more than plain text. */
  maxInputs: number
  /** Inputs of a request when all of them are plain text. */
  maxTexts: number
  /** Characters of one text. Only the first 70 tokens count; this bounds the work of finding them. */
  maxTextChars: number
  /** Width × height of a picture. */
  maxImagePixels: number
  /** Length of a sound in seconds. */
  maxAudioSeconds: number
  /** Bytes fetched from one address. */
  maxFetchBytes: number
  /** Time one fetch may take, redirects included. */
  fetchTimeoutMs: number
  /** Bytes of an item's metadata as JSON. */
  maxMetadataBytes: number
  /** Bytes of one file that is sent ahead. */
  maxUploadBytes: number
}

/** What all requests together may hold. */
export interface Admission {
  /** Requests in work at once. */
  maxRequests: number
  /** Bytes of their bodies, as announced; a body of unknown length counts as the longest there may be. */
  maxBytes: number
}

export const DEFAULT_ADMISSION: Readonly<Admission> = Object.freeze({
  maxRequests: 256,
  maxBytes: 512 * 1024 * 1024,
})

export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze({
  maxRequestBytes: 64 * 1024 * 1024,
  maxInputs: 128,
  maxTexts: 2048,
  maxTextChars: 100_000,
  maxImagePixels: 64_000_000,
  maxAudioSeconds: 30 * 60,
  maxFetchBytes: 32 * 1024 * 1024,
  fetchTimeoutMs: 10_000,
  maxMetadataBytes: 64 * 1024,
  maxUploadBytes: 64 * 1024 * 1024,
})
